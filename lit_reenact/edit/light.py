"""Light sliders of an edit: their effect, and limits near the light that a network was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.rendering.shading import HARMONICS, LAMBERT

Y, X = 1, 3
"""Indices of the harmonics for light from below (the camera's y points down) and from the right of the picture."""

EVEN = (HARMONICS[0] * LAMBERT[0]) / (HARMONICS[X] * LAMBERT[X])
"""Ratio of a side harmonic to the even light at which surfaces that face the light are twice as bright as in even light, and
surfaces that face away are black."""

RARE = 0.005
"""Share of the training frames, at either end, that is too rare to count."""

Scale = tuple[float, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]
"""Distance beyond the training range up to which a measure may go, function from a slider's share to its change of the measure,
and the inverse of that function."""

_LINEAR: Scale = (0.2, torch.Tensor.clone, torch.Tensor.clone)

LIGHT_SCALES: Mapping[str, Scale] = {
    "brightness": (0.1, torch.log1p, torch.expm1),
    "light_left": _LINEAR,
    "light_above": _LINEAR,
    "warmth": (0.1, torch.atanh, torch.tanh),
}
"""Scale of each slider, in the order of ``light_measures``. Networks that never saw the light change draw well up to these
distances; beyond them faces get spots."""


def change_light(illumination: Tensor, sliders: Tensor) -> Tensor:
    """Apply the sliders of ``LIGHT_SCALES``, (T, 4) with 1 for 100 %, to light (T, 27)."""
    brightness, left, above, warmth = sliders.unbind(-1)
    light = illumination.view(-1, 9, 3).clone()
    step = light[:, 0] * EVEN  # (T, 3)
    light[:, X] += left[:, None] * step
    light[:, Y] -= above[:, None] * step
    colour = torch.stack([1 + warmth, torch.ones_like(warmth), 1 - warmth], -1)  # (T, 3)
    return (light * ((1 + brightness)[:, None] * colour)[:, None]).flatten(1)


def light_measures(illumination: Tensor) -> Tensor:
    """Return the quantities of light (T, 27) that the sliders of ``LIGHT_SCALES`` change.

    Returns:
        float64 (T, 4): log brightness, share from the left, share from above, half the log of red over blue.
    """
    light = illumination.double().view(-1, 9, 3).mean(-1)
    red, _, blue = illumination.double().view(-1, 9, 3)[:, 0].clamp_min(1e-6).unbind(-1)
    even = light[:, 0].clamp_min(1e-6)
    return torch.stack([even.log(), light[:, X] / (EVEN * even), -light[:, Y] / (EVEN * even), (red / blue).log() / 2], -1)


def hold_light(
    values: Mapping[str, Tensor], parameters: FaceParameters, track: Track
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Limit the light sliders to the light of the training frames, because a network cannot draw light that it never saw.

    Args:
        values: values (T,) of the sliders that are moved, by name.
        parameters: parameters of T frames, before the edit.
        track: track of the clip that the network was trained on.

    Returns:
        The values of all sliders, and a sentence for each slider that was limited.
    """
    limited, messages = dict(values), []
    if not values.keys() & LIGHT_SCALES.keys():
        return limited, ()
    training = track.parameters[: track.info.actor_frames][track.valid[: track.info.actor_frames]]
    seen, now = light_measures(training.illumination), light_measures(parameters.illumination)
    for number, (name, (beyond, change_of, slider_of)) in enumerate(LIGHT_SCALES.items()):
        if name not in values:
            continue
        low, high = (seen[:, number].quantile(part) for part in (RARE, 1 - RARE))
        asked = change_of(values[name].double() / 100)
        # Light that is outside already before the edit is not pushed back.
        least, most = (low - beyond - now[:, number]).clamp_max(0), (high + beyond - now[:, number]).clamp_min(0)
        allowed = asked.clamp(least, most)
        changed = allowed != asked
        if not bool(changed.any()):
            continue
        limited[name] = torch.where(changed, 100 * slider_of(allowed), values[name].double()).to(values[name])
        before, after = (float(series[series.abs().argmax()]) for series in (values[name], limited[name]))
        messages.append(f"{name}: {before:+.0f} % was asked for, {after:+.0f} % is shown: training had little other light")
    return limited, tuple(messages)
