"""The skin of a tracked clip: points on it, and their colours in the frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.geometry import matrix_to_axis_angle
from lit_reenact.core.parallel import map_in_threads
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.tracking import energy, skin_samples
from lit_reenact.tracking.clip_frames import Chunk, read_in_chunks
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import spread_evenly
from lit_reenact.tracking.skin_samples import Samples, SkinPoints
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.state import State
from lit_reenact.video import FrameReader


@dataclass(frozen=True)
class TrackedSkin:
    """The skin of a tracked clip, ready to be sampled.

    Attributes:
        model: face model.
        camera: camera of the clip.
        neutral: (V, 3) neutral mesh of the person, mm.
        state: pose and expression of the T frames of the clip.
        reader: frames of the clip.
    """

    model: FaceModel
    camera: Camera
    neutral: Tensor
    state: State
    reader: FrameReader

    def sample(self, points: SkinPoints, numbers: Tensor) -> Samples:
        """Sample the frames with numbers int64 (T',) at N skin points."""
        parts = map_in_threads(lambda chunk: self._sample(points, chunk), read_in_chunks(self.reader, numbers))
        return Samples(*(torch.cat([getattr(part, name) for part in parts]) for name in ("colour", "normal", "weight")))

    def _sample(self, points: SkinPoints, chunk: Chunk) -> Samples:
        state = self.state[chunk.numbers]
        mesh = energy.deform(self.neutral, self.model.expression_basis, state.expression)
        rotation = matrix_to_axis_angle(state.rotation)
        return skin_samples.sample_skin(self.model, points, mesh, rotation, state.translation, self.camera, chunk.frames)


def sparse_skin(model: FaceModel, settings: TrackerSettings) -> SkinPoints:
    """Choose ``skin_points`` points, evenly spread over the unwrapped skin."""
    texels, points = skin_samples.skin_texels(model, settings.texture_size)
    return points[spread_evenly(len(texels), settings.skin_points)]


def training_spread(timing: Timing, most: int) -> Tensor:
    """Choose at most ``most`` training frames, evenly spread, with a whole face if any shows one: numbers int64 (N,)."""
    seen = timing.seen[: timing.actor_frames]
    whole = seen & timing.valid[: timing.actor_frames]
    usable = (whole if bool(whole.any()) else seen).nonzero()[:, 0]
    return usable[spread_evenly(len(usable), most)]
