"""Full frames of the video that a track was made from, and generated crops pasted back into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import Track
from lit_reenact.synthesis.frame_access import read_frames
from lit_reenact.synthesis.pasting import Paster
from lit_reenact.transfer.channels import play
from lit_reenact.video import Frame, probe


class FullFrames:
    """The frames of the original video that lie under the crops of an output video.

    Args:
        track: track of the person to be shown.
        original: video that the track was made from.
        numbers: frame of the track under each frame of the output.

    Raises:
        ReenactError: ``original`` cannot be read, or is another video than the track's.

    Example:
        >>> full_frames = FullFrames(target.track, Path("target.mp4"), range(len(target.track)))
        >>> paste = full_frames.paster()
        >>> frames = [paste(crop) for crop in crops]
    """

    def __init__(self, track: Track, original: Path, numbers: Sequence[int]) -> None:
        info = probe(original)
        if sha256_of(original) != track.info.source_sha256:
            raise ReenactError(
                f"{original} is not the video that the target's track was made of ({track.info.source}, "
                f"SHA-256 {track.info.source_sha256[:12]}...): give that file, unchanged"
            )
        self.numbers = tuple(numbers)
        self._original, self._fps = original, Fraction(track.info.fps)
        self._paster = Paster(track.info.crop, info.width, info.height)

    def __len__(self) -> int:
        return len(self.numbers)

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """Yield the full frames under the output from frame ``first`` on, uint8 (height, width, 3), a few in memory at a time."""
        return read_frames(self._original, self._fps, self.numbers[first:])

    def paste(self, crop: Frame, frame: Frame) -> Frame:
        """Return a copy of a full frame with a generated crop, uint8 (S, S, 3), in its place."""
        return self._paster(frame, crop)

    def paster(self, first: int = 0) -> Callable[[Frame], Frame]:
        """Return the function that pastes the output's crops, one by one from ``first`` on, into their full frames."""
        frames = self.frames(first)
        return lambda crop: self.paste(crop, next(frames))


def there_and_back(count: int, frames: int) -> list[int]:
    """List ``count`` numbers of a clip's frames, played forwards and backwards in turn as a transfer plays them."""
    return [int(number) for number in play(frames, count)]
