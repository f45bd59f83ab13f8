"""Frames of any source video in order, upright, at a constant rate, with the colours of an ordinary video."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import repeat
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import torch
from av.video.reformatter import VideoReformatter
from torch import Tensor
from torch.nn.functional import interpolate

from lit_reenact.core.errors import ReenactError
from lit_reenact.video.hdr import to_sdr, transfer_of
from lit_reenact.video.timeline import Timeline, open_video, read_timeline

Frame = npt.NDArray[np.uint8]
"""One picture, uint8 (H, W, 3) RGB."""


def iterate_frames(path: Path, fps: Fraction | None = None, first: int = 0) -> Iterator[Frame]:
    """Yield the frames of a source video in order, upright, at a constant rate, edit lists honoured.

    A frame of the file is shown from half a frame before its time until the next one's; the first is also shown before it.

    Args:
        path: any video that FFmpeg reads.
        fps: frames per second to yield; the video's own (``probe(path).fps``) if None.
        first: number of the first frame to yield; those before it are decoded, too, because seeking is not exact.

    Yields:
        uint8 (H, W, 3) RGB, up to ``probe(path).frame_count`` of them (at its own rate). Repeated frames are the same array.

    Raises:
        ReenactError: the file cannot be read (see ``probe``), or it is damaged somewhere in the middle.
    """
    path = Path(path)
    timeline = read_timeline(path)
    for image, times in _decode(path, timeline, fps or timeline.rate, first):
        yield from repeat(image, times)


def _decode(path: Path, timeline: Timeline, fps: Fraction, first: int) -> Iterator[tuple[Frame, int]]:
    """Yield every frame of the file that is shown from number ``first`` on, and how many times it is repeated."""
    rate, count = float(fps), timeline.frame_count(fps)
    lead = _lead(timeline, rate)
    converter = VideoReformatter()
    shown: av.VideoFrame | None = None
    until, done = -np.inf, 0
    with open_video(path) as (container, stream):
        try:
            for index, frame in enumerate(container.decode(stream)):
                time = time_of(frame, timeline.start) if timeline.timed else index * timeline.step
                due = min(count, int(np.ceil((time - lead) * rate)))  # frames of the constant rhythm before this one's turn
                if shown is not None and done < due:
                    if first < due:
                        yield upright(shown, converter), due - max(done, first)
                    done = due
                shown, until = frame, time
        except av.FFmpegError as error:
            raise ReenactError(f"{path} is damaged after {max(until, 0):.1f} s; copy or record it again") from error
    if shown is None or until < timeline.times[-1] - 0.5:
        raise ReenactError(f"{path} is damaged: no frame after {max(until, 0):.1f} s can be decoded; copy or record it again")
    yield upright(shown, converter), count - max(done, first)


def shown_frames(timeline: Timeline, fps: Fraction) -> npt.NDArray[np.int64]:
    """Return the number of the file's frame behind each frame of ``iterate_frames``: int64 (``timeline.frame_count(fps)``,)."""
    turns = np.ceil((timeline.times - _lead(timeline, float(fps))) * float(fps))  # from when on each frame of the file is shown
    numbers = np.arange(timeline.frame_count(fps))
    return np.maximum(np.searchsorted(turns, numbers, side="right") - 1, 0)


def _lead(timeline: Timeline, rate: float) -> float:
    """Return the time for which a frame is shown before it is due, seconds."""
    return min(1 / rate, timeline.step) / 2


def time_of(frame: av.VideoFrame, start: Fraction) -> float:
    """Return when a decoded frame is due, seconds from the first one, which is due at ``start`` (``Timeline.start``)."""
    pts = frame.pts if frame.pts is not None else frame.dts
    assert pts is not None
    assert frame.time_base is not None
    return float(pts * frame.time_base - start)


def quarter_turns(degrees: int) -> int:
    """Return the counter-clockwise quarter turns that bring a stored frame upright; phones store no other angles."""
    return round(degrees / 90) % 4


def upright(frame: av.VideoFrame, converter: VideoReformatter | None = None) -> Frame:
    """Return a decoded frame as uint8 (H, W, 3) RGB, turned as its file says, with the colours of an ordinary video.

    Args:
        frame: the decoded frame.
        converter: converter to reuse for all frames of a video; making one takes longer than converting a frame.
    """
    hdr = transfer_of(frame)
    converter = converter or VideoReformatter()
    image = to_sdr(frame, hdr) if hdr else converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(image, quarter_turns(frame.rotation)))


def resize_frames(frames: Tensor, size: int) -> Tensor:
    """Resize uint8 (N, H, W, 3) to uint8 (N, size, size, 3), averaging over areas."""
    if frames.shape[1:3] == (size, size):
        return frames
    resized = interpolate(frames.permute(0, 3, 1, 2).float(), size=(size, size), mode="area")
    return resized.round().to(torch.uint8).permute(0, 2, 3, 1)
