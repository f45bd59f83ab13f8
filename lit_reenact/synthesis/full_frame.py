"""The full frames of the video that a track was made of, in any order, and synthesised crops pasted back into them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Track
from lit_reenact.synthesis.pasting import Paster
from lit_reenact.transfer.channels import play
from lit_reenact.video.io import Frame, probe, sha256, shown_frames, time_of, upright
from lit_reenact.video.timeline import Timeline, open_video, read_timeline

BLOCK = 16
"""Decoded frames that are held at a time: read backwards, a video is decoded forwards in such blocks."""


class FullFrame:
    """The frames of the original that lie under those of an output, and the crops pasted back into them.

    Args:
        track: of the person who is shown.
        original: the video that it was made of.
        numbers: frame of the track under each frame of the output.

    Raises:
        ReenactError: as ``probe``, or ``original`` is another video than the track's.
    """

    def __init__(self, track: Track, original: Path, numbers: Sequence[int]) -> None:
        info = probe(original)
        if sha256(original) != track.info.source_sha256:
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
        """The full frames under those of the output from ``first`` on, uint8 (height, width, 3), a few in memory at a time."""
        return read_frames(self._original, self._fps, self.numbers[first:])

    def paste(self, made: Frame, frame: Frame) -> Frame:
        """A full frame with a synthesised crop, uint8 (S, S, 3), in its place."""
        return self._paster(frame, made)


def there_and_back(count: int, frames: int) -> list[int]:
    """``count`` numbers out of so many frames, without a jump, in the order in which a transfer plays them."""
    return [int(number) for number in play(frames, count)]


def read_frames(path: Path, fps: Fraction, numbers: Sequence[int]) -> Iterator[Frame]:
    """Frames of a video by their numbers at a constant rate, the same as ``video.iterate_frames`` gives out, in any order.

    Going forwards costs nothing beyond decoding; for a step back the file is decoded again from a key frame.

    Args:
        path: any video that FFmpeg reads.
        fps: the constant rate.
        numbers: from 0 to the number of frames that the video has at this rate.

    Yields:
        uint8 (H, W, 3) RGB, upright.

    Raises:
        ReenactError: as ``probe``, or the video is damaged in the middle.
    """
    timeline = read_timeline(path)
    wanted = shown_frames(timeline, fps)[np.asarray(numbers, dtype=np.int64)]
    converter = VideoReformatter()
    decoder = _Decoder(path, timeline)
    try:
        for start in range(0, len(wanted), BLOCK):
            block = wanted[start : start + BLOCK]
            pictures = decoder.read(block)
            for index in block:
                yield upright(pictures[int(index)], converter)
    finally:
        decoder.close()


class _Decoder:
    """Decoded frames of a file by their place in the order in which they are shown."""

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self._path, self._timeline = path, timeline
        self._frames = _decode(path, timeline, 0)
        self._next = 0
        self._last: av.VideoFrame | None = None
        self._held: dict[int, av.VideoFrame] = {}

    def read(self, indices: npt.NDArray[np.int64]) -> dict[int, av.VideoFrame]:
        """The frames with these places, held until the next call; for one that cannot be decoded, the one before it."""
        wanted = set(indices.tolist())
        self._held = {index: frame for index, frame in self._held.items() if index in wanted}
        missing = sorted(wanted - self._held.keys(), reverse=True)
        if missing and not self._next <= missing[-1] < self._next + 8 * BLOCK:
            self._frames.close()
            self._frames, self._last = _decode(self._path, self._timeline, missing[-1]), None
        try:
            while missing:
                index, frame = next(self._frames, (len(self._timeline.times), self._last))
                if frame is None:
                    raise ReenactError(f"{self._path} is damaged: none of its frames can be decoded; copy or record it again")
                while missing and missing[-1] <= index:
                    at = missing.pop()
                    self._held[at] = frame if at == index or self._last is None else self._last
                self._next, self._last = index + 1, frame
        except av.FFmpegError as error:
            raise ReenactError(f"{self._path} is damaged at its frame {self._next}; copy or record it again") from error
        return self._held

    def close(self) -> None:
        self._frames.close()


def _decode(path: Path, timeline: Timeline, first: int) -> Generator[tuple[int, av.VideoFrame], None, None]:
    """Frames with their places, from the last key frame at or before ``first`` on, or from the file's first."""
    with open_video(path) as (container, stream):
        if first and timeline.timed and stream.time_base:
            container.seek(round((float(timeline.start) + timeline.times[first]) / float(stream.time_base)), stream=stream)
            frames = _placed(container.decode(stream), timeline)
            found = next(frames, None)
            if found is not None and found[0] <= first:
                yield found
                yield from frames
                return
    with open_video(path) as (container, stream):
        yield from _placed(container.decode(stream), timeline)


def _placed(frames: Iterator[av.VideoFrame], timeline: Timeline) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames with their places; those that an edit list hides are left out."""
    for count, frame in enumerate(frames):
        if not timeline.timed:
            yield count, frame
            continue
        time = time_of(frame, timeline.start)
        index = int(np.searchsorted(timeline.times, time - timeline.step / 1000))
        if index < len(timeline.times) and abs(timeline.times[index] - time) < timeline.step / 1000:
            yield index, frame
