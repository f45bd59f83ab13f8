"""A performance for the target that mixes its own channels with those of a source."""

from __future__ import annotations

from pathlib import Path

from lit_reenact.app.performance import UneditedPerformance
from lit_reenact.app.runs import OpenRun
from lit_reenact.app.uploads import choose_track_folder, name_upload_in_errors
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.face.reading import model_file
from lit_reenact.guard import GuardMode, guard
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.tracker import track_video, written_by_tracking
from lit_reenact.transfer import TransferPolicy, resample_track, transfer, transferred_cuts

PRESET_LABELS = {
    "full": "everything: head, face and eyes",
    "expression": "the face; head and eyes stay",
    "dubbing": "the mouth alone (dubbing)",
    "gaze": "the gaze alone",
    "eye-contact": "look into the camera (needs no video)",
    "pose": "the head's pose alone",
}
"""Preset of ``transfer.PRESETS`` to its label on the page."""

GUARD_LABELS = {
    "warn": "keep it, with a warning",
    "soft": "limit it softly",
    "clamp": "limit it",
}
"""Mode of ``guard``, for motion that the target's training did not show, to its label on the page."""


def track_upload(video: Path, tracks: Path, face_model: str, size: int = 256) -> TrackedClip:
    """Track an uploaded video into a folder of its name below ``tracks``, unless its track is there already.

    Raises:
        ReenactError: the video cannot be tracked, or would be overwritten.
    """
    folder = choose_track_folder(video, tracks)
    refuse_overwriting(written_by_tracking(folder), [video, model_file(face_model)], option="--tracks")
    with name_upload_in_errors(video):
        track_video(video, folder, TrackerSettings(face_model=face_model), size=size)
    return TrackedClip.load(folder)


def drive_target(
    run: OpenRun, source: TrackedClip | None, policy: TransferPolicy, mode: GuardMode = "warn"
) -> UneditedPerformance:
    """Drive the target by a source, at the target's own frame rate.

    Args:
        run: run of the target.
        source: clip that drives; may be None where the policy needs no source.
        policy: channels of the source that drive the target.
        mode: treatment of motion that the target's training did not show (``guard``).

    Raises:
        ReenactError: the policy needs a source and there is none, or the source does not fit the target.
    """
    if not policy.needs_source:
        source = None
    elif source is None:
        raise ReenactError("no source is chosen: upload a video, or name the folder of a track")
    track = None if source is None else resample_track(source.track, run.target.fps)
    parameters = transfer(track, run.target.track, policy)
    parameters, report = guard(parameters, run.target.track, mode, run.target.fps, run.generator.key_frames)
    cuts = transferred_cuts(track, run.target.track, policy)
    return UneditedPerformance(parameters, cuts, source, policy, mode, report.to_text())
