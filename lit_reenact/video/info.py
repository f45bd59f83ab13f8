"""Properties of a video file: size, frame rate, length, sound, colours and metadata."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from lit_reenact.core.errors import ReenactError
from lit_reenact.video.frames import quarter_turns
from lit_reenact.video.hdr import transfer_of
from lit_reenact.video.timeline import open_video, read_timeline


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a video, seen upright and at a constant frame rate.

    Attributes:
        path: the file.
        width: width of an upright frame, pixels.
        height: height of an upright frame, pixels.
        fps: constant frame rate at which ``iterate_frames`` yields the video.
        frame_count: exact number of frames at that rate.
        duration: length in seconds.
        has_audio: True if there is sound.
        variable_rate: True if the file itself has no constant rate, so that frames are repeated or left out.
        hdr: "PQ" or "HLG" if the colours are HDR, which are read as those of an ordinary video; otherwise None.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int
    duration: float
    has_audio: bool
    variable_rate: bool = False
    hdr: str | None = None


def probe(path: Path) -> VideoInfo:
    """Describe a video: read every frame's time, decode one frame.

    Raises:
        ReenactError: there is no such file, or it is empty, not a video, cut off, without pictures, or cannot be decoded at all.
    """
    path = Path(path)
    timeline = read_timeline(path)
    with open_video(path) as (container, stream):
        try:
            frame = next(container.decode(stream), None)
        except av.FFmpegError:
            frame = None
        if frame is None:
            raise ReenactError(f"{path} is damaged: not one of its frames can be decoded; copy or record it again")
        hdr = transfer_of(frame)
        turned = quarter_turns(frame.rotation) % 2 == 1
        width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
    fps = timeline.rate
    count = timeline.frame_count(fps)
    return VideoInfo(path, width, height, fps, count, float(count / fps), timeline.has_audio, not timeline.is_constant, hdr)


def read_tags(path: Path) -> dict[str, str]:
    """Read a video's metadata ("title", "comment", ...), as ``VideoWriter`` and other programs write it.

    Raises:
        ReenactError: there is no such file, or it is not a video that can be opened.
    """
    with open_video(Path(path)) as (container, _):
        return dict(container.metadata)
