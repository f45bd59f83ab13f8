"""The clip of a track, tracked again with other settings."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.tracker import stored_settings, track
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track, save_track
from lit_reenact.tracking.working_clip import Prepared
from lit_reenact.video.io import probe, sha256


def track_again(target: TrackedClip, changes: dict[str, Any], folder: Path, progress: bool = True) -> TrackedClip:
    """Fit the face model anew to the working clip and the landmarks of a track: frames, split and detections stay the same.

    A folder that holds this track already is left as it is.

    Args:
        target: the track.
        changes: fields of ``TrackerSettings`` and what they shall be instead.
        folder: for the new track and a copy of the clip.
        progress: whether to show progress bars.

    Raises:
        ReenactError: as ``track``, or the face model that is named cannot be read.
    """
    info = target.track.info
    before = {name: value for name, value in info.settings.items() if name != "size"}
    settings = TrackerSettings(**{**before, "face_model": info.face_model, **changes})
    wanted = stored_settings(settings, target.track.camera.width)
    if _is_there(folder, wanted, info.clip_sha256):
        return TrackedClip.load(folder)
    folder.mkdir(parents=True, exist_ok=True)
    clip = folder / CLIP_NAME
    temporary = folder / f".{CLIP_NAME}.{os.getpid()}"
    shutil.copyfile(target.clip, temporary)
    temporary.replace(clip)
    prepared = Prepared(
        clip=clip,
        landmarks=target.track.landmarks,
        valid=target.track.valid,
        crop=info.crop,
        info=probe(clip),
        source_sha256=info.source_sha256,
        notes=info.notes,
        cuts=info.cuts,
    )
    made = track(prepared, settings, progress)
    save_track(replace(made, info=replace(made.info, source=info.source, settings=wanted)), folder)
    return TrackedClip.load(folder)


def _is_there(folder: Path, settings: dict[str, Any], clip_sha256: str) -> bool:
    try:
        info = load_track(folder).info
        return info.settings == settings and info.clip_sha256 == clip_sha256 == sha256(folder / CLIP_NAME)
    except (ReenactError, OSError):
        return False
