"""Another performance for the target: its own channels and those of someone who drives it."""

from __future__ import annotations

from pathlib import Path

from lit_reenact.app.runs import OpenRun
from lit_reenact.app.session import Performance
from lit_reenact.app.uploads import called_by_its_name, folder_for
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.face.reading import model_file
from lit_reenact.guard import GuardMode, guard
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.tracker import track_video, written_by_tracking
from lit_reenact.transfer import TransferPolicy, at_rate, transfer, transferred_cuts

PRESET_LABELS = {
    "full": "everything: head, face and eyes",
    "expression": "the face; head and eyes stay",
    "dubbing": "the mouth alone (dubbing)",
    "gaze": "where the eyes look",
    "eye-contact": "look into the camera (needs no video)",
    "pose": "the head's pose alone",
}
"""Presets of ``transfer.PRESETS``, for people."""

GUARD_LABELS = {
    "warn": "leave it, and say so",
    "soft": "limit it softly",
    "clamp": "limit it",
}
"""What a guard does about motion that the target's training did not show."""


def tracked(video: Path, tracks: Path, face_model: str, size: int = 256) -> TrackedClip:
    """The track of an uploaded video, made in a folder of its name among ``tracks`` unless it is there already.

    Raises:
        ReenactError: as ``track_video``.
    """
    folder = folder_for(video, tracks)
    refuse_overwriting(written_by_tracking(folder), [video, model_file(face_model)], option="--tracks")
    with called_by_its_name(video):
        track_video(video, folder, TrackerSettings(face_model=face_model), size=size)
    return TrackedClip.load(folder)


def driven(run: OpenRun, source: TrackedClip | None, policy: TransferPolicy, mode: GuardMode = "warn") -> Performance:
    """The target driven by a source, at the target's own frame rate.

    Args:
        run: of the target.
        source: who drives; may be None where the policy needs nobody.
        policy: what drives what.
        mode: what happens to what the target's training did not show (``guard``).

    Raises:
        ReenactError: as ``transfer``; or a source is missing.
    """
    if not policy.needs_source:
        source = None
    elif source is None:
        raise ReenactError("nobody drives: upload a video, or name the folder of a track")
    track = None if source is None else at_rate(source.track, run.target.fps)
    parameters = transfer(track, run.target.track, policy)
    parameters, report = guard(parameters, run.target.track, mode, run.target.fps)
    return Performance(parameters, transferred_cuts(track, run.target.track, policy), source, policy, mode, report.to_text())
