"""Writing a long video in pieces, so that a kill costs at most one piece of work."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import atomic_output
from lit_reenact.video import Frame, VideoWriter
from lit_reenact.video.audio import Soundtrack
from lit_reenact.video.timeline import read_timeline

PIECE = 240
"""Frames in a piece; a kill loses those of the piece that is not finished."""

KEY_NAME = "made-from"
"""Name of the file, among the pieces, that holds the key of their video."""


def pieces_folder(path: Path) -> Path:
    """Return the hidden folder that holds the pieces of a video until it is finished."""
    return path.with_name(f".{path.name}.unfinished")


class ResumableWriter:
    """Writer of a video of known length that continues where an earlier writer of the same video stopped.

    Pieces lie in a hidden folder beside the video until the last one is finished; then their packets are copied into one file,
    with the sound. Use it as a context manager: leaving it normally finishes the file; an exception, or a kill, leaves the
    whole pieces for the next time.

    Args:
        path: the .mp4 to write.
        fps: frames per second.
        total: number of frames of the whole video.
        key: digest of everything that the frames depend on; pieces with another key are deleted.
        tags: metadata of the finished file, name to text.
        audio_from: file whose sound is carried over; None for a silent video.
        crf: x264 quality, smaller is better.
        finish: called with the complete file just before it gets its name, to sign it.

    Raises:
        ReenactError: the folder cannot be written.

    Example:
        >>> with ResumableWriter(Path("out.mp4"), Fraction(25), len(frames), key, tags={}, finish=make_signer(record)) as video:
        ...     for frame in frames[video.frame_count :]:
        ...         video.write(frame)
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

    def __enter__(self) -> ResumableWriter:
        return self

    @property
    def frame_count(self) -> int:
        """Number of frames written so far, by an earlier writer in whole pieces and by this one."""
        unfinished = 0 if self._piece is None else self._piece.frame_count
        return min(self._complete * PIECE + unfinished, self.total)

    def resume_at(self, frame: int) -> None:
        """Drop the pieces from a frame on, so that this writer continues together with the writer of another video.

        Args:
            frame: ``frame_count`` of a writer of equally many frames, at most this writer's own.
        """
        self._complete = -(-frame // PIECE)

    def write(self, frame: Frame) -> None:
        """Append one frame, uint8 (H, W, 3) RGB; all frames have one size."""
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
        try:
            with atomic_output(self.path) as partial:
                self._join(partial)
                if self._finish is not None:
                    self._finish(partial)
        except av.FFmpegError as failure:
            raise ReenactError(f"{self.path} cannot be written: {failure.strerror}") from failure
        shutil.rmtree(self._folder, ignore_errors=True)

    def _claim(self, key: str) -> None:
        """Delete pieces of another video, and write down whose pieces lie in the folder from now on."""
        key_file = self._folder / KEY_NAME
        if not key_file.is_file() or key_file.read_text() != key:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            key_file.write_text(key)

    def _path_of(self, piece: int) -> Path:
        return self._folder / f"{piece:05d}.mp4"

    def _give_up(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave whole pieces for the next time; delete the folder if there is none."""
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
        """Copy the packets of all pieces, shifted in time, and the sound into one file."""
        with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as output:
            output.metadata.update(self._tags)
            stream: VideoStream | None = None
            sound: Soundtrack | None = None
            for piece in range(self._complete):
                with av.open(self._path_of(piece)) as container:
                    if stream is None:
                        stream = output.add_stream_from_template(container.streams.video[0])
                        sound = self._open_sound(output)
                    _copy_packets(container, output, stream, start=piece * PIECE / self.fps)
                if sound is not None:
                    sound.mux_until(min((piece + 1) * PIECE, self.total) / self.fps)
            if sound is not None:
                sound.close()

    def _open_sound(self, output: OutputContainer) -> Soundtrack | None:
        if self._audio_from is None:
            return None
        timeline = read_timeline(self._audio_from)
        return Soundtrack(self._audio_from, timeline.start, output) if timeline.has_audio else None


def _copy_packets(piece: InputContainer, output: OutputContainer, stream: VideoStream, start: Fraction) -> None:
    """Copy the video packets of a piece, so that its first frame is shown ``start`` seconds after the video's."""
    source = piece.streams.video[0]
    assert source.time_base is not None
    shift = round(start / source.time_base)
    for packet in piece.demux(source):
        if packet.dts is not None and packet.pts is not None:
            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
            output.mux(packet)
