"""Display times of a video file's frames, read from its packets without decoding, and checks that the file is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from lit_reenact.core.errors import ReenactError

_NTSC = Fraction(1000, 1001)
COMMON_RATES = tuple(
    Fraction(r) for r in (8, 10, 12, 12.5, 15, 24 * _NTSC, 24, 25, 30 * _NTSC, 30, 48, 50, 60 * _NTSC, 60, 100, 120, 240)
)
"""Frame rates that cameras and editors use; a measured average is rounded to the nearest."""


@dataclass(frozen=True)
class Timeline:
    """Display times of a video file's N frames in their order; frames that an edit list hides are left out.

    Attributes:
        times: float64 (N,) seconds from the first shown frame, ascending.
        start: time of the first shown frame on the file's own clock, seconds; the file's sound runs by the same clock.
        last: length of the last frame as the file declares it, seconds; 0 if it does not.
        timed: False if the file stores no presentation times and ``times`` counts frames at its nominal rate.
        has_audio: True if there is sound.
    """

    times: npt.NDArray[np.float64]
    start: Fraction
    last: float
    timed: bool
    has_audio: bool

    @property
    def step(self) -> float:
        """Median time from one frame to the next, seconds."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else self.last or 1 / 25

    @property
    def duration(self) -> float:
        """Time from the first frame to the end of the last, seconds."""
        if self.is_constant:  # containers often do not know better how long the last frame lasts
            return len(self.times) * (float(self.times[-1]) / (len(self.times) - 1) if len(self.times) > 1 else self.step)
        return float(self.times[-1]) + max(self.step, self.last)

    @property
    def is_constant(self) -> bool:
        """True if every frame lies within a quarter of a frame of an even rhythm."""
        even = np.linspace(0, self.times[-1], len(self.times))
        return bool(np.abs(self.times - even).max() < self.step / 4)

    @property
    def rate(self) -> Fraction:
        """Average frame rate, frames per second: the nearest common one, unless the rhythm is even and clearly another."""
        average = (len(self.times) - 1) / self.times[-1] if len(self.times) > 1 else 1 / self.step
        nearest = min(COMMON_RATES, key=lambda common: abs(common - average))
        if self.is_constant and abs(nearest / average - 1) > 0.005:
            return Fraction(average).limit_denominator(1001)
        return nearest

    def frame_count(self, fps: Fraction) -> int:
        """Return the number of frames that the video has at the constant rate ``fps``, at least 1."""
        return max(1, round(self.duration * float(fps)))


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file; yield its container and its main video stream, ready for decoding.

    Raises:
        ReenactError: there is no such file, or it is empty, not a video, cut off, or without pictures.
    """
    if not path.exists():
        raise ReenactError(f"{path}: there is no such file")
    if not path.is_file():
        raise ReenactError(f"{path} is a folder, not a video file: name the file itself")
    if path.stat().st_size == 0:
        raise ReenactError(f"{path} is empty (0 bytes): copy or record it again")
    try:
        container = av.open(path)
    except PermissionError as error:
        raise ReenactError(f"{path} cannot be opened: {error.strerror}") from error
    except av.FFmpegError as error:
        raise ReenactError(f"{path} {_why_unreadable(path)}") from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            kind = "holds only sound" if container.streams.audio else "holds no pictures"
            raise ReenactError(f"{path} {kind}: use a file with a video stream")
        stream.thread_type = "AUTO"
        yield container, stream


def _why_unreadable(path: Path) -> str:
    """Return the rest of a sentence that begins with the file's name: what is wrong with it and what to do."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "was cut off before its index was written: copy or record it again"
    return "is not a video in a format that FFmpeg can read: convert it to mp4 (H.264)"


def read_timeline(path: Path) -> Timeline:
    """Read the display times of a video's frames from all packets of the file.

    Raises:
        ReenactError: the file cannot be opened (see ``open_video``), or ends before the end that it declares.
    """
    with open_video(path) as (container, video):
        shown, end = _read_packets(container, video)
        end -= (container.start_time or 0) / av.time_base
        declared = (container.duration or 0) / av.time_base
        nominal = video.average_rate or video.guessed_rate or Fraction(25)
        time_base = video.time_base or 1 / nominal
        has_audio = bool(container.streams.audio)
    if not shown or end < declared - max(0.5, 0.02 * declared):
        raise ReenactError(
            f"{path} is cut off: it should last {declared:.1f} s but ends after {end:.1f} s; copy or record it again"
        )
    timed = all(pts is not None for pts, _ in shown)
    if timed:
        lengths = {pts: length for pts, length in shown if pts is not None}
        ticks = np.array(sorted(lengths), dtype=np.int64)
        times, last = (ticks - ticks[0]) * float(time_base), lengths[int(ticks[-1])] * float(time_base)
        start = int(ticks[0]) * time_base
    else:
        times, last, start = np.arange(len(shown)) / float(nominal), 0.0, Fraction(0)
    return Timeline(times=times, start=start, last=last, timed=timed, has_audio=has_audio)


def _read_packets(container: InputContainer, video: VideoStream) -> tuple[list[tuple[int | None, int]], float]:
    """Return ticks and length of every shown video packet, in file order, and the time at which the last packet ends, seconds."""
    shown: list[tuple[int | None, int]] = []
    end = 0.0
    try:
        for packet in container.demux(video, *container.streams.audio):
            if packet.size == 0 or packet.is_discard:
                continue
            length = packet.duration or 0
            if packet.pts is not None:
                end = max(end, float((packet.pts + length) * packet.time_base))
            if packet.stream is video:
                shown.append((packet.pts, length))
    except av.FFmpegError:
        pass  # the rest is missing or unreadable: the declared duration tells how much that is
    return shown, end
