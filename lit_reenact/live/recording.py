"""Recording of live frames to a video of constant rate."""

from __future__ import annotations

from lit_reenact.video import Frame, VideoWriter


class Recording:
    """A video of live frames: it repeats a frame until the next one is due, and leaves out frames that come too early.

    Args:
        video: writer of the video.
    """

    def __init__(self, video: VideoWriter) -> None:
        self._video = video
        self._start: float | None = None
        self._last: Frame | None = None

    def write(self, picture: Frame, time: float) -> None:
        """Add a frame uint8 (S, S, 3) taken at ``time`` (seconds), later than the frame before."""
        self._start = time if self._start is None else self._start
        due = round((time - self._start) * self._video.fps)
        while self._last is not None and self._video.frame_count < due:
            self._video.write(self._last)
        if self._video.frame_count <= due:
            self._video.write(picture)
        self._last = picture
