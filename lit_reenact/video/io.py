"""Video in and out: PyAV reads any source video once in order, decord reads working clips at random, PyAV writes H.264."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

import av
import numpy as np
import numpy.typing as npt
import torch
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from torch import Tensor
from torch.nn.functional import interpolate

from lit_reenact.core.errors import ReenactError
from lit_reenact.video.audio import Soundtrack
from lit_reenact.video.hdr import to_sdr, transfer_of
from lit_reenact.video.timeline import Timeline, open_video, read_timeline

Frame = npt.NDArray[np.uint8]

_SMPTE170M = 6
"""FFmpeg's number for the BT.601 matrix, which PyAV gives no name to: files say how their colours are to be read."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video is, seen upright and at a constant frame rate.

    Attributes:
        path: the file.
        width: of an upright frame, pixels.
        height: of an upright frame, pixels.
        fps: constant frame rate at which ``iterate_frames`` gives the video out.
        frame_count: exact number of frames at that rate.
        duration: seconds.
        has_audio: whether there is sound.
        variable_rate: whether the file itself has no constant rate, so that frames are repeated or left out.
        hdr: "PQ" or "HLG" if the colours are HDR, which are given out as those of an ordinary video; otherwise None.
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
    """Describe a video; every frame's time is read, one frame is decoded.

    Raises:
        ReenactError: no such file, empty, not a video, cut off, only sound, or nothing in it can be decoded.
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
        turned = _quarter_turns(frame.rotation) % 2 == 1
        width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
    fps = timeline.rate
    count = timeline.frame_count(fps)
    return VideoInfo(path, width, height, fps, count, float(count / fps), timeline.has_audio, not timeline.is_constant, hdr)


def iterate_frames(path: Path, fps: Fraction | None = None, first: int = 0) -> Iterator[Frame]:
    """The frames of a source video in order, upright, at a constant rate, edit lists honoured.

    A frame of the file is shown from half a frame before its time until the next one's; the first is also shown before it.

    Args:
        path: any video that FFmpeg reads.
        fps: frames per second to give out; the video's own (``probe(path).fps``) if None.
        first: number of the first frame to give out; those before it are decoded, for nothing else finds it exactly.

    Yields:
        uint8 (H, W, 3) RGB, up to ``probe(path).frame_count`` of them (at its own rate). Repeated frames are the same array.

    Raises:
        ReenactError: as ``probe``, or the video is damaged somewhere in the middle.
    """
    path = Path(path)
    timeline = read_timeline(path)
    rate = float(fps or timeline.rate)
    count = timeline.frame_count(fps or timeline.rate)
    early = _early(timeline, rate)
    given = 0
    converter = VideoReformatter()
    shown: av.VideoFrame | None = None
    until = -np.inf
    with open_video(path) as (container, stream):
        try:
            for index, frame in enumerate(container.decode(stream)):
                time = time_of(frame, timeline.start) if timeline.timed else index * timeline.step
                due = min(count, int(np.ceil((time - early) * rate)))  # frames of the constant rhythm before this one's turn
                if shown is not None and given < due:
                    if first < due:
                        image = upright(shown, converter)
                        for _ in range(max(given, first), due):
                            yield image
                    given = due
                shown, until = frame, time
        except av.FFmpegError as error:
            raise ReenactError(f"{path} is damaged after {max(until, 0):.1f} s; copy or record it again") from error
    if shown is None or until < timeline.times[-1] - 0.5:
        raise ReenactError(f"{path} is damaged: no frame after {max(until, 0):.1f} s can be decoded; copy or record it again")
    image = upright(shown, converter)
    for _ in range(max(given, first), count):
        yield image


def shown_frames(timeline: Timeline, fps: Fraction) -> npt.NDArray[np.int64]:
    """Which frame of the file each frame that ``iterate_frames`` gives out is: int64 (``timeline.frame_count(fps)``,)."""
    turns = np.ceil((timeline.times - _early(timeline, float(fps))) * float(fps))  # from when on each frame of the file is shown
    numbers = np.arange(timeline.frame_count(fps))
    return np.maximum(np.searchsorted(turns, numbers, side="right") - 1, 0)


def _early(timeline: Timeline, rate: float) -> float:
    """How long before its time a frame is shown, seconds."""
    return min(1 / rate, timeline.step) / 2


def time_of(frame: av.VideoFrame, start: Fraction) -> float:
    """When a decoded frame is due, seconds from the first one (``Timeline.start``)."""
    pts = frame.pts if frame.pts is not None else frame.dts
    assert pts is not None
    assert frame.time_base is not None
    return float(pts * frame.time_base - start)


def _quarter_turns(degrees: int) -> int:
    """Counter-clockwise quarter turns that bring a stored frame upright; phones store no other angles."""
    return round(degrees / 90) % 4


def upright(frame: av.VideoFrame, converter: VideoReformatter | None = None) -> Frame:
    """A decoded frame as uint8 (H, W, 3) RGB, turned as its file says, with the colours of an ordinary video.

    To set a ``converter`` up takes longer than to convert a frame: whoever reads many frames lends the same one.
    """
    hdr = transfer_of(frame)
    converter = converter or VideoReformatter()
    image = to_sdr(frame, hdr) if hdr else converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(image, _quarter_turns(frame.rotation)))


CALLED_BACK = 32
"""Frames after which decord is stopped in decoding ahead: beside a slow reader it would hold a whole clip in memory."""


class FrameReader:
    """Random access to the frames of a working clip (``prepare`` made it: constant rate, short GOP) by decord.

    decord is opened at the first read in each process, so a reader may be pickled and handed to forked or spawned workers.

    Raises:
        ReenactError: as ``probe``.
    """

    def __init__(self, path: Path) -> None:
        self.info = probe(path)
        self._read = 0  # frames since decord was stopped

    def __len__(self) -> int:
        return self.info.frame_count

    def __getitem__(self, frames: slice | Sequence[int]) -> Tensor:
        return self.read(range(len(self))[frames] if isinstance(frames, slice) else frames)

    def read(self, indices: Sequence[int]) -> Tensor:
        """Frames by number: uint8 (len(indices), H, W, 3) RGB. Fast where the numbers ascend.

        Raises:
            IndexError: a number outside [0, len).
            ReenactError: decord is missing, or cannot read this file frame-exactly.
        """
        wanted = [int(index) for index in indices]
        if wanted and not (min(wanted) >= 0 and max(wanted) < len(self)):
            raise IndexError(f"frames {min(wanted)} to {max(wanted)} of {self.info.path}, which has {len(self)}")
        if not wanted:
            return torch.empty(0, self.info.height, self.info.width, 3, dtype=torch.uint8)
        if self not in _OPEN:
            _OPEN[self] = _open_decord(self.info)
        frames = torch.from_numpy(_OPEN[self].get_batch(wanted).asnumpy())
        self._read += len(wanted)
        if self._read >= CALLED_BACK:
            _OPEN[self].seek(0)  # it forgets what lies ahead
            self._read = 0
        return frames


_OPEN: WeakKeyDictionary[FrameReader, Any] = WeakKeyDictionary()
_INHERITED: list[Any] = []


def _set_aside_inherited() -> None:
    """In a forked child: keep the parent's decord handles for ever; closing them would wait for threads that are not here."""
    _INHERITED.extend(_OPEN.values())
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_set_aside_inherited)


def _open_decord(info: VideoInfo) -> Any:
    try:
        import decord
    except ImportError as error:
        raise ReenactError(
            "decord, which reads the frames of working clips, is not installed: run `make install`, or on a Mac with an ARM "
            "processor, for which decord has no package, use a Linux machine or container"
        ) from error
    try:
        reader = decord.VideoReader(str(info.path), num_threads=1)
    except (RuntimeError, decord.DECORDError) as error:
        raise ReenactError(f"{info.path} cannot be read by decord: make this clip again with `lit-reenact track`") from error
    if len(reader) != info.frame_count:
        raise ReenactError(
            f"{info.path} is no working clip: decord counts {len(reader)} frames in it and PyAV {info.frame_count}, "
            "so frames could be mistaken for others; make a clip of it with `lit-reenact track`"
        )
    return reader


class VideoWriter:
    """Writes frames to an H.264 mp4 (yuv420p, constant rate, no B-frames) that appears under its name only when complete.

    Use it as a context manager: leaving it normally finishes the file, an exception leaves nothing behind.

    Args:
        path: the mp4 to write; missing folders are made.
        fps: frames per second.
        tags: metadata that any player can show ("title", "comment", "description"): what this video is and who made it.
        audio_from: file whose sound is carried over, cut to the length of the video; without sound if it has none.
        crf: x264's quality, smaller is better; 17 is visually lossless.
        gop: frames from one key frame to the next.
        preset: of x264: how hard it tries to make the file small.
        finish: called with the complete file just before it gets its name, to add what must stand in it last.
    """

    def __init__(
        self,
        path: Path,
        fps: Fraction,
        *,
        tags: Mapping[str, str],
        audio_from: Path | None = None,
        crf: int = 17,
        gop: int = 12,
        preset: str = "medium",
        finish: Callable[[Path], None] | None = None,
    ) -> None:
        self.path = Path(path)
        self.fps = Fraction(fps)
        self.frame_count = 0
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._options = {"crf": str(crf), "g": str(gop), "bf": "0", "preset": preset}
        self._converter = VideoReformatter()
        self._audio_from = Path(audio_from) if audio_from is not None else None
        self._finish = finish
        self._soundtrack: Soundtrack | None = None
        self._stream: VideoStream | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(self._temporary, "w", format="mp4", options={"movflags": "+faststart"})
        except OSError as error:
            raise ReenactError(f"{self.path} cannot be written: {error.strerror}") from error
        self._container.metadata.update(tags)

    def __enter__(self) -> VideoWriter:
        return self

    def write(self, frame: Frame | Tensor) -> None:
        """Append one frame: uint8 (H, W, 3) RGB; all of one size. An odd side is padded by repeating its last pixel."""
        image = np.ascontiguousarray(np.asarray(frame))
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"a frame must be uint8 (H, W, 3), not {image.dtype} {image.shape}")
        height, width = image.shape[:2]
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._stream is None:
            self._stream = self._open_streams(image.shape[1], image.shape[0])
        if image.shape[:2] != (self._stream.height, self._stream.width):
            raise ValueError(f"a frame of {image.shape[:2]} in a video of {(self._stream.height, self._stream.width)}")
        picture = self._converter.reformat(
            av.VideoFrame.from_ndarray(image, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range="MPEG",
            threads=1,
        )
        picture.pts, picture.time_base = self.frame_count, 1 / self.fps
        self._container.mux(self._stream.encode(picture))
        self.frame_count += 1
        if self._soundtrack is not None:
            self._soundtrack.mux_until(self.frame_count / self.fps)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._flush()
            with suppress(*(() if kind is None else (av.FFmpegError,))):
                self._container.close()  # writes the index
            if kind is None:
                if self._finish is not None:
                    self._finish(self._temporary)
                self._temporary.replace(self.path)
        except av.FFmpegError as failure:
            raise ReenactError(f"{self.path} cannot be written: {failure.strerror}") from failure
        finally:
            if self._soundtrack is not None:
                self._soundtrack.close()
            self._temporary.unlink(missing_ok=True)

    def _open_streams(self, width: int, height: int) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=self.fps, options=self._options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = 1 / self.fps
        stream.codec_context.colorspace = _SMPTE170M
        stream.codec_context.color_range = ColorRange.MPEG
        if self._audio_from is not None:
            timeline = read_timeline(self._audio_from)
            if timeline.has_audio:
                self._soundtrack = Soundtrack(self._audio_from, timeline.start, self._container)
        return stream

    def _flush(self) -> None:
        if self._stream is None:
            raise ReenactError(f"{self.path} was not written: there was no frame to write")
        self._container.mux(self._stream.encode(None))
        if self._soundtrack is not None:
            self._soundtrack.mux_until(self.frame_count / self.fps)


def resize_frames(frames: Tensor, size: int) -> Tensor:
    """uint8 (N, H, W, 3) to uint8 (N, size, size, 3), averaging over areas."""
    if frames.shape[1:3] == (size, size):
        return frames
    resized = interpolate(frames.permute(0, 3, 1, 2).float(), size=(size, size), mode="area")
    return resized.round().to(torch.uint8).permute(0, 2, 3, 1)


def read_tags(path: Path) -> dict[str, str]:
    """A video's metadata, as ``VideoWriter`` and other programs write it.

    Raises:
        ReenactError: as ``probe``.
    """
    with open_video(Path(path)) as (container, _):
        return dict(container.metadata)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
