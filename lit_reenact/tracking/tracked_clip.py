"""A track together with the clip that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from lit_reenact.core.schema import Track
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track
from lit_reenact.video import FrameReader, resize_frames


@dataclass(frozen=True)
class TrackedClip:
    """A track together with its working clip.

    Attributes:
        folder: where both lie.
        track: the parameters.
        frames: the clip, opened lazily.
    """

    folder: Path
    track: Track
    frames: FrameReader

    @classmethod
    def load(cls, folder: Path) -> TrackedClip:
        """Open the folder that ``lit-reenact track`` wrote; raises ReenactError as ``load_track`` does."""
        return cls(folder, load_track(folder), FrameReader(folder / CLIP_NAME))

    @property
    def clip(self) -> Path:
        return self.folder / CLIP_NAME

    @property
    def fps(self) -> Fraction:
        return Fraction(self.track.info.fps)

    def read(self, frames: range | slice | Tensor, size: int) -> Tensor:
        """Frames of the clip by their numbers, uint8 (N, size, size, 3)."""
        wanted = range(len(self.track))[frames] if isinstance(frames, slice) else frames
        return resize_frames(self.frames.read([int(number) for number in wanted]), size)
