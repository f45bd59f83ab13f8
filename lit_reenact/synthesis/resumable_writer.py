"""A video that is written in pieces, so that work on a long one that is killed is not in vain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from lit_reenact.core.errors import ReenactError
from lit_reenact.video.audio import Soundtrack
from lit_reenact.video.io import Frame, VideoWriter
from lit_reenact.video.timeline import read_timeline

PIECE = 240
"""Frames in a piece; work on one is lost by a kill."""

KEY_NAME = "made-from"


def pieces_folder(path: Path) -> Path:
    """Where the pieces of a video lie until it is finished."""
    return path.with_name(f".{path.name}.unfinished")


class PiecewiseWriter:
    """Writes a video of a known length, and goes on where a writer of the same video has ended.

    Pieces lie in a hidden folder beside the video until all of them are there; then they are joined as they are (the packets
    are copied), with the sound. Leaving the context normally finishes the file; an exception, or a kill, leaves the pieces.

    Args:
        path: the mp4 to write.
        fps: frames per second.
        total: how many frames it will have.
        key: of all that the frames depend on; pieces of another key are thrown away.
        tags: as for ``VideoWriter``.
        audio_from: likewise.
        crf: likewise.
        finish: likewise.

    Raises:
        ReenactError: the folder cannot be written.
    """

    def __init__(
        self,
        path: Path,
        fps: Fraction,
        total: int,
        key: str,
        *,
        tags: Mapping[str, str],
        audio_from: Path | None = None,
        crf: int = 17,
        finish: Callable[[Path], None] | None = None,
    ) -> None:
        self.path, self.fps, self.total = path, fps, total
        self._tags, self._audio_from, self._crf, self._finish = tags, audio_from, crf, finish
        self._folder = pieces_folder(path)
        self._piece: VideoWriter | None = None
        try:
            self._claim(key)
        except OSError as error:
            raise ReenactError(f"{path} cannot be written: {error.strerror}") from error
        self._complete = 0
        while self._complete * PIECE < total and self._path_of(self._complete).is_file():
            self._complete += 1

    def __enter__(self) -> PiecewiseWriter:
        return self

    @property
    def frame_count(self) -> int:
        """Frames that are written; those of a piece that was not finished do not count."""
        begun = 0 if self._piece is None else self._piece.frame_count
        return min(self._complete * PIECE + begun, self.total)

    def begin_at(self, frame: int) -> None:
        """Write again from a frame on that another video has ended with, so that both go on together.

        Args:
            frame: the ``frame_count`` of a writer of as many frames, not more than this one's.
        """
        self._complete = -(-frame // PIECE)

    def write(self, frame: Frame) -> None:
        """Append one frame, as ``VideoWriter.write``."""
        if self._piece is None:
            self._piece = VideoWriter(self._path_of(self._complete), self.fps, tags={}, crf=self._crf)
        self._piece.write(frame)
        if self._piece.frame_count == PIECE:
            self._end_piece()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._give_up(kind, error, trace)
            return
        if self.frame_count < self.total or not self.total:
            self._give_up(ReenactError, None, None)
            raise ReenactError(f"{self.path} was not written: there were {self.frame_count} frames of {self.total}")
        if self._piece is not None:
            self._end_piece()
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self._join(temporary)
            if self._finish is not None:
                self._finish(temporary)
            temporary.replace(self.path)
        except av.FFmpegError as failure:
            raise ReenactError(f"{self.path} cannot be written: {failure.strerror}") from failure
        finally:
            temporary.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _claim(self, key: str) -> None:
        known = self._folder / KEY_NAME
        if not known.is_file() or known.read_text() != key:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            known.write_text(key)

    def _path_of(self, piece: int) -> Path:
        return self._folder / f"{piece:05d}.mp4"

    def _give_up(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave whole pieces for the next time; nothing if there is none."""
        if self._piece is not None:
            self._piece.__exit__(kind, error, trace)
        if not self._complete:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _end_piece(self) -> None:
        assert self._piece is not None
        self._piece.__exit__(None, None, None)
        self._piece = None
        self._complete += 1

    def _join(self, path: Path) -> None:
        with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as output:
            output.metadata.update(self._tags)
            stream: VideoStream | None = None
            sound: Soundtrack | None = None
            for piece in range(self._complete):
                with av.open(self._path_of(piece)) as container:
                    written = container.streams.video[0]
                    if stream is None:
                        stream = output.add_stream_from_template(written)
                        sound = self._sound(output)
                    assert written.time_base is not None
                    shift = round(piece * PIECE / self.fps / written.time_base)
                    for packet in container.demux(written):
                        if packet.dts is not None and packet.pts is not None:
                            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                            output.mux(packet)
                if sound is not None:
                    sound.mux_until(min((piece + 1) * PIECE, self.total) / self.fps)
            if sound is not None:
                sound.close()

    def _sound(self, output: OutputContainer) -> Soundtrack | None:
        if self._audio_from is None:
            return None
        timeline = read_timeline(self._audio_from)
        return Soundtrack(self._audio_from, timeline.start, output) if timeline.has_audio else None
