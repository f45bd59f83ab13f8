"""Video to ``Track``, stage by stage: clip and landmarks, fit to landmarks, fit to the image, gaze, reflectance, report."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.geometry import matrix_to_axis_angle
from lit_reenact.core.parallel import single_threaded
from lit_reenact.core.schema import Actor, Camera, FaceParameters, Track, TrackInfo
from lit_reenact.core.split import LAST_FIFTH
from lit_reenact.face import load_face_model
from lit_reenact.tracking.clip_frames import find_held_frames
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.gaze import fit_gaze
from lit_reenact.tracking.partial_results import FOLDER_NAME, forget
from lit_reenact.tracking.quality import photometric_error
from lit_reenact.tracking.refinement import refine
from lit_reenact.tracking.reflectance import learn_reflectance
from lit_reenact.tracking.report import REPORT_NAME, write_report
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import fit_landmarks, smooth_shape, smooth_state
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.tracked_skin import TrackedSkin
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track, save_track, track_files
from lit_reenact.tracking.working_clip import Prepared, prepare
from lit_reenact.video import FrameReader

__all__ = ["TrackerSettings", "track", "track_video"]

CLIP_SIZE = 256
"""Default side of a working clip in pixels."""


def track(prepared: Prepared, settings: TrackerSettings, progress: bool = True) -> Track:
    """Fit the face model to a working clip.

    Everything about the person is learned from the first part of the clip alone; pose, expression, gaze and light are fitted
    in every frame.

    Args:
        prepared: working clip and its landmarks.
        settings: settings of the tracker.
        progress: whether to show a progress bar.

    Raises:
        ReenactError: the part of the clip to learn from shows no face, or the face model cannot be loaded.

    Example:
        >>> result = track(prepare(Path("me.mp4"), Path("clip.mp4")), TrackerSettings())
    """
    reader = FrameReader(prepared.clip)
    footage = _footage(prepared, reader, settings)
    fit = fit_landmarks(footage)
    refined = refine(fit, footage, reader, f"{prepared.info.path.name}: refining on the image" if progress else None)
    shape = smooth_shape(refined.fit, footage)
    eyes = fit_gaze(shape, footage)
    unrefined = TrackedSkin(footage.model, footage.camera, fit.neutral, smooth_state(fit, footage), reader)
    skin = replace(unrefined, state=shape.state)
    illumination = footage.timing.smooth(refined.light, settings.light_smoothing)
    reflectance = learn_reflectance(skin, illumination, refined.colour, footage.timing, settings)
    errors = [photometric_error(each, footage.timing, settings) for each in (unrefined, skin)]
    return Track(
        parameters=FaceParameters(
            rotation=matrix_to_axis_angle(shape.rotation),
            translation=shape.translation,
            identity=shape.identity.expand(len(footage.points), -1).clone(),
            expression=shape.expression,
            illumination=illumination,
            gaze=eyes.gaze,
        ),
        actor=Actor(shape.neutral, shape.identity, reflectance, eyes.eyeballs, eyes.offset, shape.modes),
        camera=footage.camera,
        valid=prepared.valid,
        error=shape.error,
        corrective=shape.corrective,
        corrected_error=shape.corrected_error,
        photometric_error=torch.stack(errors, -1),
        landmarks=prepared.landmarks,
        info=_info(prepared, footage),
    )


def _footage(prepared: Prepared, reader: FrameReader, settings: TrackerSettings) -> Footage:
    """Collect everything that the fit depends on, except the pixels."""
    height, width = reader.read([0]).shape[1:3]
    points = prepared.landmarks.points
    try:
        actor_frames = settings.actor_frames(len(points), float(prepared.info.fps))
    except ReenactError as error:
        raise ReenactError(f"{prepared.info.path}: {error}") from error
    seen = points.isfinite().flatten(1).all(1)
    if not seen[:actor_frames].any():
        raise ReenactError(
            f"{prepared.info.path}: no face in the first {actor_frames} of {len(points)} frames, from which the person "
            "is learned: cut the video so that it begins with the face"
        )
    held = find_held_frames(reader, settings.held_difference)
    return Footage(
        points=points,
        timing=Timing(seen, prepared.valid, held, float(prepared.info.fps), actor_frames, prepared.cuts),
        model=load_face_model(settings.face_model),
        camera=Camera(focal=settings.focal_factor * width, width=width, height=height),
        settings=settings,
    )


def _info(prepared: Prepared, footage: Footage) -> TrackInfo:
    return TrackInfo(
        source=prepared.info.path.name,
        source_sha256=prepared.source_sha256,
        clip_sha256=sha256_of(prepared.clip),
        fps=str(prepared.info.fps),
        crop=prepared.crop,
        face_model=footage.model.name,
        face_model_hash=footage.model.hash,
        actor_frames=footage.timing.actor_frames,
        settings=asdict(footage.settings),
        warnings=prepared.warnings,
        cuts=prepared.cuts,
    )


@single_threaded()
def track_video(
    source: Path, folder: Path, settings: TrackerSettings | None = None, size: int = CLIP_SIZE, progress: bool = True
) -> Track:
    """Prepare and track a video: ``folder`` gets clip.mp4, track.safetensors and report.html.

    A folder that already holds the track of the same video under the same settings is left as it is. A run that was killed is
    continued.

    Args:
        source: video with a face.
        folder: folder of the track, made if it is missing.
        settings: settings of the tracker; None takes the defaults.
        size: side of the working clip in pixels.
        progress: whether to show progress bars.

    Raises:
        ReenactError: the folder cannot be made, or ``prepare`` or ``track`` refuses the video.

    Example:
        >>> track_video(Path("me.mp4"), Path("outputs/tracks/me")).error.nanmean()
    """
    settings = settings or TrackerSettings()
    wanted = stored_settings(settings, size)
    done = finished_track(Path(source), folder, wanted)
    if done is not None:
        return done
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReenactError(f"{folder} cannot be made ({error.strerror}): choose another output folder") from error
    prepared = prepare(Path(source), folder / CLIP_NAME, size=size, progress=progress)
    try:
        result = track(prepared, settings, progress)
    except ReenactError:
        prepared.clip.unlink()  # a refused video leaves nothing behind
        forget(folder)
        raise
    result = replace(result, info=replace(result.info, settings=wanted))
    write_report(result, folder)
    save_track(result, folder)  # last: a folder with a track is finished
    forget(folder)
    return result


def written_by_tracking(folder: Path) -> tuple[Path, ...]:
    """List everything that ``track_video`` writes into the folder of a track."""
    return (*track_files(folder), folder / REPORT_NAME, folder / FOLDER_NAME)


def is_tracked(source: Path, folder: Path) -> bool:
    """Tell whether ``track_video`` with its defaults would leave the folder as it is."""
    return all(file.is_file() for file in track_files(folder)) and (
        finished_track(source, folder, stored_settings(TrackerSettings(), CLIP_SIZE)) is not None
    )


def stored_settings(settings: TrackerSettings, size: int) -> dict[str, float | int | str | bool]:
    """Return the settings that a track file stores; a track with other settings is made again.

    The face model is stored by its hash, because its path can be spelt in many ways. The default protocol is not stored, like in
    tracks from before there were others.

    Raises:
        ReenactError: the face model cannot be loaded.
    """
    stored = {**asdict(settings), "face_model": load_face_model(settings.face_model).hash, "size": size}
    return {name: value for name, value in stored.items() if (name, value) != ("protocol", LAST_FIFTH)}


def finished_track(source: Path, folder: Path, settings: dict[str, float | int | str | bool]) -> Track | None:
    """Load the track in ``folder`` if it is complete and of this video under these settings, otherwise return None."""
    if not source.is_file() or not (folder / CLIP_NAME).is_file() or not (folder / REPORT_NAME).is_file():
        return None
    try:
        track = load_track(folder)
    except ReenactError:
        return None
    same = track.info.settings == settings and track.info.source_sha256 == sha256_of(source)
    return track if same and track.info.clip_sha256 == sha256_of(folder / CLIP_NAME) else None
