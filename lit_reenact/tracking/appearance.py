"""Reflectance of the person and light of every frame of a clip, read chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.face import FaceModel
from lit_reenact.geometry import matrix_to_axis_angle
from lit_reenact.schema import Camera
from lit_reenact.tracking import photometric
from lit_reenact.tracking.photometric import Samples, SkinPoints
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import Shape
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.video import FrameReader

ROUNDS = 2
"""Times that light and reflectance are solved in turn."""

_CHUNK = 32  # frames in memory at once


@dataclass(frozen=True)
class TrackedSkin:
    """The skin of a tracked clip, ready to be sampled.

    Attributes:
        model, camera: see there.
        shape: pose and expression of its T frames.
        reader: its frames.
    """

    model: FaceModel
    camera: Camera
    shape: Shape
    reader: FrameReader

    def sample(self, points: SkinPoints, numbers: Tensor) -> Samples:
        """What the frames int64 (T',) show at N skin points."""
        shape = self.shape
        expression = shape.expression[numbers] @ self.model.expression_basis.flatten(1)
        mesh = shape.neutral + expression.view(len(numbers), -1, 3)
        rotation, translation = matrix_to_axis_angle(shape.rotation[numbers]), shape.translation[numbers]
        frames = self.reader.read(numbers.tolist())
        return photometric.sample_skin(self.model, points, mesh, rotation, translation, self.camera, frames)


def fit_appearance(skin: TrackedSkin, timing: Timing, settings: TrackerSettings, progress: str | None) -> tuple[Tensor, Tensor]:
    """Learn the reflectance from training frames, then fit the light of all.

    Args:
        skin: of the clip.
        timing: of its T frames.
        settings: see there.
        progress: label of the progress bar; None shows none.

    Returns:
        reflectance (3, S, S) in [0, 1], illumination (T, 27).
    """
    texels, points = photometric.skin_texels(skin.model, settings.texture_size)
    usable = (timing.seen & timing.valid)[: timing.actor_frames].nonzero()[:, 0]
    spread = usable[torch.linspace(0, len(usable) - 1, min(settings.texture_frames, len(usable))).round().long()]
    samples = skin.sample(points, spread)
    few = torch.linspace(0, len(texels) - 1, min(settings.light_points, len(texels))).round().long()
    albedo, share, usual = learn_albedo(samples, few, settings)
    reflectance = paint(albedo, share, texels, settings.texture_size)

    few_albedo = reflectance.flatten(1).T[texels[few]]
    lights = [
        photometric.fit_light(skin.sample(points[few], numbers), few_albedo, settings.light_steadiness, usual)
        for numbers in _chunks(len(timing.seen), progress)
    ]
    return reflectance, timing.smooth(torch.cat(lights), settings.light_smoothing)


def learn_albedo(samples: Samples, few: Tensor, settings: TrackerSettings) -> tuple[Tensor, Tensor, Tensor]:
    """Solve light and reflectance in turn, starting from skin of one colour.

    Whether a cheek is bright or well lit cannot be told while the head stands still: as much as light can explain is light.

    Args:
        samples: of the training frames at N points.
        few: int64 (M,) points enough for the light.
        settings: see there.

    Returns:
        albedo (N, 3), how much was seen of each point (N,), the usual light (1, 27).
    """
    some = samples[few]
    weight = samples.weight[..., None]
    skin_colour = (samples.colour * weight).sum((0, 1)) / weight.sum().clamp_min(1e-6)
    albedo, share = skin_colour.expand(samples.colour.shape[1], 3), samples.weight.sum(0)
    pooled = some.pooled()
    usual = torch.empty(0)
    for _ in range(ROUNDS):
        usual = photometric.fit_light(pooled, albedo[few].repeat(len(some.colour), 1), settings.light_ridge)
        usual = photometric.normalise(some, usual)
        light = photometric.fit_light(some, albedo[few], settings.light_steadiness, usual)
        albedo, share = photometric.fit_albedo(samples, light)
    return albedo.clamp(0, 1), share, usual


def paint(albedo: Tensor, share: Tensor, texels: Tensor, size: int) -> Tensor:
    """The texture (3, S, S) of colours (N, 3) at flat texels (N,); what was hardly seen, by ``share`` (N,), is filled in."""
    texture, weight = albedo.new_zeros(3, size * size), albedo.new_zeros(size * size)
    texture[:, texels] = albedo.T
    weight[texels] = (share / (0.2 * share.median()).clamp_min(1e-6)).clamp(0, 1)
    return photometric.fill_holes(texture.view(3, size, size), weight.view(size, size))


def held_frames(reader: FrameReader, difference: float) -> Tensor:
    """Which frames show the picture before them again: bool (T,).

    Args:
        reader: of the clip.
        difference: mean over the pixels in grey levels of 255 that still counts as none.
    """
    steps, last = [], None
    for numbers in _chunks(len(reader), None):
        grey = reader.read(numbers.tolist())[:, ::2, ::2].float().mean(-1)
        run = grey if last is None else torch.cat([last, grey])
        steps.append((run[1:] - run[:-1]).abs().mean((1, 2)))
        last = grey[-1:]
    return torch.cat([torch.tensor([False]), torch.cat(steps) < difference])


def _chunks(count: int, progress: str | None) -> Iterator[Tensor]:
    with tqdm(total=count, desc=progress, unit="frame", disable=progress is None) as bar:
        for numbers in torch.split(torch.arange(count), _CHUNK):
            yield numbers
            bar.update(len(numbers))
