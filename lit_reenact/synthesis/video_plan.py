"""Everything that a finished video shows and says, decided before its first frame is generated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from pathlib import Path

from lit_reenact.core.schema import FaceParameters
from lit_reenact.provenance import Record
from lit_reenact.synthesis.full_frames import FullFrames
from lit_reenact.synthesis.label import add_label
from lit_reenact.synthesis.resumable_writer import pieces_folder
from lit_reenact.video import Frame


@dataclass(frozen=True)
class VideoPlan:
    """Content, form and origin of a finished video.

    Attributes:
        path: the .mp4 to write.
        fps: frames per second of the video.
        parameters: face parameters of the T frames of the video.
        record: how the video is made, for its metadata and its signature.
        cuts: first frame after every cut; no window reaches over one.
        audio_from: file whose sound is carried over; None for a silent video.
        full_frames: T full frames of the original that the crops are pasted into; None shows the crops alone.
        label: say in a corner of every frame that it is AI-generated.

    Raises:
        ValueError: the number of full frames is not that of the parameters.

    Example:
        >>> plan = VideoPlan(Path("out.mp4"), target.fps, target.track.parameters, Record("a test", ()))
        >>> write_video(plan, target, generator)
    """

    path: Path
    fps: Fraction
    parameters: FaceParameters
    record: Record
    cuts: tuple[int, ...] = ()
    audio_from: Path | None = None
    full_frames: FullFrames | None = None
    label: bool = False

    def __post_init__(self) -> None:
        if self.full_frames is not None and len(self.full_frames) != len(self.parameters):
            raise ValueError(f"{len(self.full_frames)} full frames for {len(self.parameters)} frames")

    def finisher(self, first: int = 0) -> Callable[[Frame], Frame]:
        """Return the function that turns crops, uint8 (S, S, 3), into frames of the video: one by one, from ``first`` on."""
        steps: list[Callable[[Frame], Frame]] = []
        if self.full_frames is not None:
            steps.append(self.full_frames.paster(first))
        if self.label:
            steps.append(add_label)
        return lambda crop: reduce(lambda frame, step: step(frame), steps, crop)


def side_by_side_path(video: Path) -> Path:
    """Return the path of a video's second version, which shows driving frame | conditioning | output."""
    return video.with_name(f"{video.stem}_side_by_side{video.suffix}")


def video_files(video: Path) -> list[Path]:
    """List everything that ``write_video`` writes for a video: both versions, and the folders of their unfinished pieces."""
    return [path for version in (video, side_by_side_path(video)) for path in (version, pieces_folder(version))]
