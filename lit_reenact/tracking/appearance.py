"""Reflectance of the person: learned from training frames of a tracked clip, without what is no skin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.geometry import matrix_to_axis_angle
from lit_reenact.core.parallel import map_in_threads, prefetch
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.rendering.shading import irradiance
from lit_reenact.tracking import energy, photometric
from lit_reenact.tracking.photometric import Samples, SkinPoints
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import spread_evenly
from lit_reenact.tracking.skin_colour import (
    SKIN_LIMIT,
    Normal,
    about_eyes,
    features,
    glasses,
    learn_skin_colour,
    logarithm,
    may_be_skin,
)
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.state import State
from lit_reenact.video import FrameReader

ROUNDS = 3
"""Times that light, reflectance and the usual colour of skin are solved in turn."""

MEASURED_FRAMES = 16
"""Frames that a photometric error is measured in at most, and learned from."""

LITTLE = 0.2
"""Share of what is usually seen of a point, below which its reflectance is filled in from its neighbours, at least in part."""

_CHUNK = 32  # frames

_TEXELS = 4096  # whose reflectance is learned at once


class Chunk(NamedTuple):
    """As many frames as are held in memory at once: their numbers int64 (T,), and uint8 (T, H, W, 3)."""

    numbers: Tensor
    frames: Tensor


@dataclass(frozen=True)
class TrackedSkin:
    """The skin of a tracked clip, ready to be sampled.

    Attributes:
        model, camera: see there.
        neutral: (V, 3) the person's neutral mesh, mm.
        state: pose and expression of its T frames.
        reader: its frames.
    """

    model: FaceModel
    camera: Camera
    neutral: Tensor
    state: State
    reader: FrameReader

    def sample(self, points: SkinPoints, numbers: Tensor) -> Samples:
        """What the frames int64 (T',) show at N skin points."""
        parts = map_in_threads(lambda chunk: self._sample(points, chunk), read_in_chunks(self.reader, numbers))
        return Samples(*(torch.cat([getattr(part, name) for part in parts]) for name in ("colour", "normal", "weight")))

    def _sample(self, points: SkinPoints, chunk: Chunk) -> Samples:
        state = self.state[chunk.numbers]
        mesh = energy.deform(self.neutral, self.model.expression_basis, state.expression)
        rotation = matrix_to_axis_angle(state.rotation)
        return photometric.sample_skin(self.model, points, mesh, rotation, state.translation, self.camera, chunk.frames)


@dataclass(frozen=True)
class Complexion:
    """What is learned of N skin points.

    Attributes:
        albedo: (N, 3) in [0, 1].
        reliable: bool (N,), whether most of what was seen of a point belongs to the face.
        usual: (1, 27) the usual light.
        colour: of the person's bare skin, in logarithms.
    """

    albedo: Tensor
    reliable: Tensor
    usual: Tensor
    colour: Normal


def learn_complexion(samples: Samples, feature: Tensor, settings: TrackerSettings) -> Complexion:
    """Solve light, reflectance and the colour of skin in turn, starting from skin of one colour in an even light.

    Whether a cheek is bright or well lit cannot be told while the head stands still: as much as light can explain is light.
    What has not the colour of the person's skin has no say in the light, and none in the reflectance but where it is a feature.

    Args:
        samples: of training frames at N points.
        feature: bool (N,), points that belong to the face whatever their colour.
        settings: see there.
    """
    visible = samples.weight > 0
    lit, albedo = torch.ones_like(samples.colour), torch.empty(0)
    for _ in range(ROUNDS):
        reflectance = samples.colour / lit.clamp_min(photometric.LEAST_LIGHT)
        colour = learn_skin_colour(reflectance[visible & ~feature])
        skin = replace(samples, weight=samples.weight * may_be_skin(reflectance, colour))
        if not len(albedo):
            albedo = colour.mean.exp().expand(len(feature), 3)
        usual = photometric.fit_light(skin.pooled(), albedo.repeat(len(lit), 1), settings.light_ridge)
        usual = photometric.normalise(skin, usual)
        light = photometric.fit_light(skin, albedo, settings.light_steadiness, usual)
        lit = irradiance(samples.normal, light)
        albedo, reliable = believed_albedo(samples, light, colour, feature)[:2]
    return Complexion(albedo, reliable, usual, colour)


def believed_albedo(samples: Samples, light: Tensor, colour: Normal, feature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The reflectance of N points under known light (T, 27), from samples that show skin or a feature bool (N,) alone.

    Returns:
        albedo (N, 3) in [0, 1], whether most of what was seen of a point is believed: bool (N,), and how much is: (N,).
    """
    reflectance = samples.colour / irradiance(samples.normal, light).clamp_min(photometric.LEAST_LIGHT)
    believed = replace(samples, weight=samples.weight * (may_be_skin(reflectance, colour) | feature))
    albedo, share = photometric.fit_albedo(believed, light)
    return albedo.clamp(0, 1), share > 0.5 * samples.weight.sum(0), share


def learn_reflectance(skin: TrackedSkin, light: Tensor, colour: Normal, timing: Timing, settings: TrackerSettings) -> Tensor:
    """The texture (3, S, S) of a person in [0, 1], from training frames.

    Args:
        skin: of the clip.
        light: (T, 27) of its frames.
        colour: of the person's skin.
        timing: of its T frames.
        settings: see there.
    """
    texels, points = photometric.skin_texels(skin.model, settings.texture_size)
    numbers = training_spread(timing, settings.texture_frames)
    feature = features(skin.model, points)
    samples, runs = skin.sample(points, numbers), [slice(k, k + _TEXELS) for k in range(0, len(feature), _TEXELS)]
    learned = map_in_threads(lambda run: believed_albedo(samples[run], light[numbers], colour, feature[run]), runs)
    albedo, reliable, share = (torch.cat(parts) for parts in zip(*learned, strict=True))
    share = share * reliable
    bare = (share > LITTLE * share.median()) & ~feature
    maps = torch.stack([*albedo.T, bare.float(), about_eyes(skin.model, points).float()], -1)
    maps = on_texture(maps, texels, settings.texture_size)
    worn = glasses(maps[:3], maps[3] > 0, maps[4] > 0).flatten()[texels]
    likeness = energy.geman_mcclure_weight(colour.distance(logarithm(albedo))[:, None], SKIN_LIMIT / 2)
    return paint(albedo, share * ~worn, likeness, texels, settings.texture_size)


def on_texture(values: Tensor, texels: Tensor, size: int) -> Tensor:
    """Values (N, C) of flat texels (N,) on a texture (C, S, S) that is 0 elsewhere."""
    texture = values.new_zeros(values.shape[1], size * size)
    texture[:, texels] = values.T
    return texture.view(-1, size, size)


def photometric_error(skin: TrackedSkin, timing: Timing, settings: TrackerSettings) -> Tensor:
    """How well a tracked shape explains the picture, in some held-out frames: (T,) mean absolute difference on visible skin
    points between their diffuse colour and the frame, in levels of 255; NaN in all other frames.

    The reflectance is learned from training frames under this very shape, and the light is fitted to each held-out frame, so the
    measure is of the shape alone.
    """
    points = sparse_skin(skin.model, settings)
    feature = features(skin.model, points)
    learned = learn_complexion(skin.sample(points, training_spread(timing, MEASURED_FRAMES)), feature, settings)
    usable = timing.seen & timing.valid
    held_out = usable[timing.actor_frames :].nonzero()[:, 0] + timing.actor_frames
    numbers = held_out[spread_evenly(len(held_out), MEASURED_FRAMES)]
    error = torch.full((len(usable),), torch.nan)
    if len(numbers):
        samples = skin.sample(points, numbers)
        samples = replace(samples, weight=samples.weight * learned.reliable)
        light = photometric.fit_light(samples, learned.albedo, settings.light_steadiness, learned.usual)
        difference = (learned.albedo * irradiance(samples.normal, light) - samples.colour).abs().mean(-1)
        visible = samples.weight > 0
        error[numbers] = 255 * (difference * visible).sum(1) / visible.sum(1)
    return error


def sparse_skin(model: FaceModel, settings: TrackerSettings) -> SkinPoints:
    """``skin_points`` points, evenly spread over the unwrapped skin."""
    texels, points = photometric.skin_texels(model, settings.texture_size)
    return points[spread_evenly(len(texels), settings.skin_points)]


def training_spread(timing: Timing, most: int) -> Tensor:
    """Numbers of at most ``most`` training frames, evenly spread, that show a whole face if any does."""
    seen = timing.seen[: timing.actor_frames]
    whole = seen & timing.valid[: timing.actor_frames]
    usable = (whole if bool(whole.any()) else seen).nonzero()[:, 0]
    return usable[spread_evenly(len(usable), most)]


def paint(albedo: Tensor, share: Tensor, likeness: Tensor, texels: Tensor, size: int) -> Tensor:
    """The texture (3, S, S) of colours (N, 3) at flat texels (N,); what was hardly seen, by ``share`` (N,), is filled in.

    It is filled in from what is most like the person's skin, by ``likeness`` (N,) in (0, 1], where there is any: what is left of
    hair at the edge of the face must not go on over the head.
    """
    weight = (share / (LITTLE * share[share > 0].median()).clamp_min(1e-6)).clamp(0, 1)
    maps = on_texture(torch.stack([*albedo.T, weight, weight * likeness], -1), texels, size)
    filled = photometric.fill_holes(maps[:3], maps[4])
    return torch.lerp(filled, maps[:3], maps[3])


def held_frames(reader: FrameReader, difference: float) -> Tensor:
    """Which frames show the picture before them again: bool (T,).

    Args:
        reader: of the clip.
        difference: mean over the pixels in grey levels of 255 that still counts as none.
    """
    steps, last = [], None
    for chunk in prefetch(read_in_chunks(reader, torch.arange(len(reader)))):
        grey = chunk.frames[:, ::2, ::2].float().mean(-1)
        run = grey if last is None else torch.cat([last, grey])
        steps.append((run[1:] - run[:-1]).abs().mean((1, 2)))
        last = grey[-1:]
    return torch.cat([torch.tensor([False]), torch.cat(steps) < difference])


def read_in_chunks(reader: FrameReader, numbers: Tensor, progress: str | None = None) -> Iterator[Chunk]:
    """The frames of these numbers, under a progress bar with this label, or without one."""
    with tqdm(total=len(numbers), desc=progress, unit="frame", disable=progress is None) as bar:
        for some in torch.split(numbers, _CHUNK):
            yield Chunk(some, reader.read(some.tolist()))
            bar.update(len(some))
