"""Tracking of many videos: each becomes a track, is skipped, or fails without stopping the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from lit_reenact.core.errors import ReenactError
from lit_reenact.tracking.jobs import Job
from lit_reenact.tracking.quality import photometric_gain
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.tracker import finished_track, stored_settings, track_video
from lit_reenact.tracking.workers import in_processes


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes:
        job: video and folder.
        status: "tracked", "skipped" (a finished track existed) or "failed".
        lines: lines for the user: warnings and figures of a track, or the reason of a failure.
    """

    job: Job
    status: str
    lines: tuple[str, ...] = ()


def track_all(jobs: Sequence[Job], settings: TrackerSettings, size: int, processes: int) -> Iterator[Outcome]:
    """Track videos; a failure of one does not stop the others.

    Args:
        jobs: videos and folders.
        settings: settings of the tracker.
        size: side of the working clips in pixels.
        processes: number of videos tracked at a time.

    Yields:
        An outcome for each job, in the order in which they finish.
    """
    wanted = stored_settings(settings, size)
    waiting = []
    for job in jobs:
        if finished_track(job.video, job.folder, wanted) is not None:
            yield Outcome(job, "skipped")
        else:
            waiting.append(job)
    work = partial(track_one, settings=settings, size=size, progress=processes == 1)
    if len(waiting) == 1:
        yield work(waiting[0])
    else:
        for job, result in in_processes(waiting, work, processes):
            yield result if isinstance(result, Outcome) else Outcome(job, "failed", (f"{job.video}: {result}",))


def track_one(job: Job, settings: TrackerSettings, size: int, progress: bool) -> Outcome:
    """Track one video; turn every error into an outcome."""
    try:
        track = track_video(job.video, job.folder, settings, size=size, progress=progress)
    except ReenactError as error:
        return Outcome(job, "failed", (str(error),))
    except Exception as error:  # a fault of this program or of a library must not stop the other videos
        return Outcome(job, "failed", (f"{job.video}: unexpected {type(error).__name__}: {error}",))
    error_line = f"{len(track)} frames, landmark error {float(track.error.nanmean()):.2f} % of the outer-eye distance on average"
    photometric_line = f"photometric error {photometric_gain(track)}"
    return Outcome(job, "tracked", (*(f"warning: {warning}" for warning in track.info.warnings), error_line, photometric_line))
