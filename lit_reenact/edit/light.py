"""The light of an edit: what its sliders do, and how far a network that saw one light follows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.rendering.shading import HARMONICS, LAMBERT

Y, X = 1, 3
"""Numbers of the harmonics that are brighter below (the camera's y points down) and to the right of the picture."""

EVEN = (HARMONICS[0] * LAMBERT[0]) / (HARMONICS[X] * LAMBERT[X])
"""A harmonic of one side that is so many times the even part: what faces the light gets twice what it would of the even part
alone, and its back nothing."""

RARE = 0.005
"""Part of the training frames, on either side, that is too rare to count as seen."""

Scale = tuple[float, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]

_AS_IT_IS: Scale = (0.2, torch.Tensor.clone, torch.Tensor.clone)

SCALES: Mapping[str, Scale] = {
    "brightness": (0.1, torch.log1p, torch.expm1),
    "light_left": _AS_IT_IS,
    "light_above": _AS_IT_IS,
    "warmth": (0.1, torch.atanh, torch.tanh),
}
"""By slider, in the order of ``light_measures``: how far beyond the training the measure may go, what a slider adds to it (1 is
100 %), and the slider that adds so much. Networks that never saw the light change draw well so far; farther, faces get spots."""


def lit(illumination: Tensor, sliders: Tensor) -> Tensor:
    """Light (T, 27) under the sliders of ``SCALES``, (T, 4), 1 is 100 %."""
    brightness, left, above, warmth = sliders.unbind(-1)
    light = illumination.view(-1, 9, 3).clone()
    step = light[:, 0] * EVEN  # (T, 3)
    light[:, X] += left[:, None] * step
    light[:, Y] -= above[:, None] * step
    colour = torch.stack([1 + warmth, torch.ones_like(warmth), 1 - warmth], -1)  # (T, 3)
    return (light * ((1 + brightness)[:, None] * colour)[:, None]).flatten(1)


def light_measures(illumination: Tensor) -> Tensor:
    """What the sliders of ``SCALES`` add to in light (T, 27): log brightness, share from the left and from above, half the log of
    red over blue; float64 (T, 4).
    """
    light = illumination.double().view(-1, 9, 3).mean(-1)
    red, _, blue = illumination.double().view(-1, 9, 3)[:, 0].clamp_min(1e-6).unbind(-1)
    even = light[:, 0].clamp_min(1e-6)
    return torch.stack([even.log(), light[:, X] / (EVEN * even), -light[:, Y] / (EVEN * even), (red / blue).log() / 2], -1)


def hold_light(
    values: Mapping[str, Tensor], parameters: FaceParameters, track: Track
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Hold the sliders of the light near what the training showed: a network cannot draw a light that it never saw.

    Args:
        values: of the sliders that are moved, (T,) each, by name.
        parameters: what they are added to.
        track: of the clip that the network was trained on.

    Returns:
        All values, and a sentence for each slider that was held.
    """
    held, told = dict(values), []
    if not values.keys() & SCALES.keys():
        return held, ()
    training = track.parameters[: track.info.actor_frames][track.valid[: track.info.actor_frames]]
    seen, now = light_measures(training.illumination), light_measures(parameters.illumination)
    for number, (name, (beyond, adds, slider)) in enumerate(SCALES.items()):
        if name not in values:
            continue
        low, high = (seen[:, number].quantile(part) for part in (RARE, 1 - RARE))
        asked = adds(values[name].double() / 100)
        # Light that lies outside by itself is no reason to push it.
        least, most = (low - beyond - now[:, number]).clamp_max(0), (high + beyond - now[:, number]).clamp_min(0)
        allowed = asked.clamp(least, most)
        changed = allowed != asked
        if not bool(changed.any()):
            continue
        held[name] = torch.where(changed, 100 * slider(allowed), values[name].double()).to(values[name])
        before, after = (float(series[series.abs().argmax()]) for series in (values[name], held[name]))
        told.append(f"{name}: {before:+.0f} % was asked for, {after:+.0f} % is shown, for the training saw little other light")
    return held, tuple(told)
