"""Tracking the clip of a track again with other settings."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import atomic_output, sha256_of
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.tracker import stored_settings, track
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track, save_track
from lit_reenact.tracking.working_clip import Prepared
from lit_reenact.video import probe


def track_again(target: TrackedClip, changes: dict[str, Any], folder: Path, progress: bool = True) -> TrackedClip:
    """Fit the face model again to the working clip and the landmarks of a track: frames, split and detections stay the same.

    A folder that holds this track already is left as it is.

    Args:
        target: the track and its working clip.
        changes: fields of ``TrackerSettings`` to their new values.
        folder: folder for the new track and a copy of the clip.
        progress: True to show progress bars.

    Raises:
        ReenactError: the clip cannot be tracked, or the face model cannot be read.
    """
    info = target.track.info
    before = {name: value for name, value in info.settings.items() if name != "size"}
    settings = TrackerSettings(**{**before, "face_model": info.face_model, **changes})
    wanted = stored_settings(settings, target.track.camera.width)
    if _is_there(folder, wanted, info.clip_sha256):
        return TrackedClip.load(folder)
    clip = folder / CLIP_NAME
    with atomic_output(clip) as partial:
        shutil.copyfile(target.clip, partial)
    prepared = Prepared(
        clip=clip,
        landmarks=target.track.landmarks,
        valid=target.track.valid,
        crop=info.crop,
        info=probe(clip),
        source_sha256=info.source_sha256,
        warnings=info.warnings,
        cuts=info.cuts,
    )
    result = track(prepared, settings, progress)
    save_track(replace(result, info=replace(result.info, source=info.source, settings=wanted)), folder)
    return TrackedClip.load(folder)


def _is_there(folder: Path, settings: dict[str, Any], clip_sha256: str) -> bool:
    try:
        info = load_track(folder).info
        return info.settings == settings and info.clip_sha256 == clip_sha256 == sha256_of(folder / CLIP_NAME)
    except (ReenactError, OSError):
        return False
