"""Frames to an H.264 file that appears under its name only when complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.video.audio import Soundtrack
from lit_reenact.video.frames import Frame
from lit_reenact.video.timeline import read_timeline

_SMPTE170M = 6
"""FFmpeg's number for the BT.601 matrix, for which PyAV has no name: files say how their colours are to be read."""


class VideoWriter:
    """Writer of an H.264 mp4 (yuv420p, constant rate, no B-frames) that appears under its name only when complete.

    Use it as a context manager: leaving it normally finishes the file, an exception leaves nothing behind.

    Args:
        path: the mp4 to write; missing folders are created.
        fps: frames per second.
        tags: metadata that any player can show ("title", "comment", "description"): what this video is and who made it.
        audio_from: file whose sound is carried over, cut to the length of the video; without sound if it has none.
        crf: x264's quality, smaller is better; 17 is visually lossless.
        gop: frames from one key frame to the next.
        preset: effort of x264 to make the file small, "ultrafast" to "veryslow".
        finish: called with the complete file just before it gets its name, to add what must stand in it last.

    Raises:
        ReenactError: the file cannot be written, or no frame was written to it.

    Example:
        >>> with VideoWriter(Path("out.mp4"), Fraction(30), tags={"title": "test"}) as writer:
        ...     writer.write(np.zeros((256, 256, 3), np.uint8))
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
        """Append one frame, uint8 (H, W, 3) RGB. An odd side is padded by repeating its last pixel.

        Raises:
            ValueError: the frame has another type or shape, or another size than the first one.
        """
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
