"""Frames of a video in any order, decoded a few at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from lit_reenact.core.errors import ReenactError
from lit_reenact.video import Frame
from lit_reenact.video.frames import shown_frames, time_of, upright
from lit_reenact.video.timeline import Timeline, open_video, read_timeline

BLOCK = 16
"""Decoded frames in memory at a time. To go backwards, a video is decoded forwards in blocks of this size."""


def read_frames(path: Path, fps: Fraction, numbers: Sequence[int]) -> Iterator[Frame]:
    """Read frames in any order, by their numbers at a constant rate, as ``video.iterate_frames`` counts them.

    Going forwards costs nothing beyond decoding; for a step back the file is decoded again from a key frame.

    Args:
        path: any video that FFmpeg reads.
        fps: constant rate at which the frames are numbered.
        numbers: frame numbers, from 0 to the number of frames that the video has at this rate.

    Yields:
        uint8 (H, W, 3) RGB, upright.

    Raises:
        ReenactError: the file is missing or no video, or the video is damaged in the middle.
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
    """Decoded frames of a file, by their index in the order in which a player shows them."""

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self._path, self._timeline = path, timeline
        self._frames = _decode(path, timeline, 0)
        self._next = 0
        self._last: av.VideoFrame | None = None
        self._block: dict[int, av.VideoFrame] = {}

    def read(self, indices: npt.NDArray[np.int64]) -> dict[int, av.VideoFrame]:
        """Return the frames with these indices; the frame before stands in for one that cannot be decoded."""
        wanted = set(indices.tolist())
        self._block = {index: frame for index, frame in self._block.items() if index in wanted}
        missing = sorted(wanted - self._block.keys(), reverse=True)
        if missing and not self._next <= missing[-1] < self._next + 8 * BLOCK:
            self._frames.close()
            self._frames, self._last = _decode(self._path, self._timeline, missing[-1]), None
        try:
            while missing:
                self._decode_next(missing)
        except av.FFmpegError as error:
            raise ReenactError(f"{self._path} is damaged at its frame {self._next}; copy or record it again") from error
        return self._block

    def _decode_next(self, missing: list[int]) -> None:
        """Decode one frame, and take from ``missing``, in descending order, every index that it settles."""
        index, frame = next(self._frames, (len(self._timeline.times), self._last))
        if frame is None:
            raise ReenactError(f"{self._path} is damaged: none of its frames can be decoded; copy or record it again")
        while missing and missing[-1] <= index:
            wanted = missing.pop()
            self._block[wanted] = frame if wanted == index or self._last is None else self._last
        self._next, self._last = index + 1, frame

    def close(self) -> None:
        """Close the file."""
        self._frames.close()


def _decode(path: Path, timeline: Timeline, first: int) -> Generator[tuple[int, av.VideoFrame], None, None]:
    """Yield frames with their indices from the last key frame at or before ``first`` on, or else from the file's first frame."""
    with open_video(path) as (container, stream):
        if first and timeline.timed and stream.time_base:
            container.seek(round((float(timeline.start) + timeline.times[first]) / float(stream.time_base)), stream=stream)
            frames = _with_indices(container.decode(stream), timeline)
            earliest = next(frames, None)
            if earliest is not None and earliest[0] <= first:
                yield earliest
                yield from frames
                return
    with open_video(path) as (container, stream):
        yield from _with_indices(container.decode(stream), timeline)


def _with_indices(frames: Iterator[av.VideoFrame], timeline: Timeline) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield frames with their indices; frames that an edit list hides are left out."""
    for count, frame in enumerate(frames):
        if not timeline.timed:
            yield count, frame
            continue
        time = time_of(frame, timeline.start)
        index = int(np.searchsorted(timeline.times, time - timeline.step / 1000))
        if index < len(timeline.times) and abs(timeline.times[index] - time) < timeline.step / 1000:
            yield index, frame
