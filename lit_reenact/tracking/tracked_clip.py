"""A track together with its working clip."""

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
        folder: folder that holds both.
        track: track of the clip.
        frames: frames of the clip, opened lazily.

    Example:
        >>> target = TrackedClip.load(Path("outputs/tracks/me"))
        >>> target.read(range(8), size=256).shape
    """

    folder: Path
    track: Track
    frames: FrameReader

    @classmethod
    def load(cls, folder: Path) -> TrackedClip:
        """Open a folder that ``lit-reenact track`` wrote.

        Raises:
            ReenactError: the folder holds no track, or one that cannot be read.
        """
        return cls(folder, load_track(folder), FrameReader(folder / CLIP_NAME))

    @property
    def clip(self) -> Path:
        """Path of the working clip."""
        return self.folder / CLIP_NAME

    @property
    def fps(self) -> Fraction:
        """Frames per second of the clip."""
        return Fraction(self.track.info.fps)

    def read(self, frames: range | slice | Tensor, size: int) -> Tensor:
        """Read frames of the clip by their numbers: uint8 (N, size, size, 3)."""
        wanted = range(len(self.track))[frames] if isinstance(frames, slice) else frames
        return resize_frames(self.frames.read([int(number) for number in wanted]), size)
