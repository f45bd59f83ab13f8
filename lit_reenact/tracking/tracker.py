"""Video to ``Track``, stage by stage: clip and landmarks, shape from landmarks, then from the image, gaze, appearance, report."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.geometry import matrix_to_axis_angle
from lit_reenact.core.parallel import single_threaded
from lit_reenact.core.schema import Actor, Camera, FaceParameters, Track, TrackInfo
from lit_reenact.core.split import training_frames
from lit_reenact.face import load_face_model
from lit_reenact.tracking.appearance import TrackedSkin, held_frames, learn_reflectance, photometric_error
from lit_reenact.tracking.gaze import fit_gaze
from lit_reenact.tracking.partial_results import FOLDER_NAME, forget
from lit_reenact.tracking.refinement import refine
from lit_reenact.tracking.report import REPORT_NAME, write_report
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import fit_landmarks, smooth_shape, smooth_state
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.state import State
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track, save_track, track_files
from lit_reenact.tracking.working_clip import Prepared, prepare
from lit_reenact.video import FrameReader

__all__ = ["TrackerSettings", "track", "track_video"]

CLIP_SIZE = 256
"""Side of a working clip in pixels, unless another is asked for."""


def track(prepared: Prepared, settings: TrackerSettings, progress: bool = True) -> Track:
    """Fit the face model to a working clip.

    Everything about the person is learned from the first part of the clip alone; pose, expression, gaze and light are fitted
    in every frame.

    Args:
        prepared: the clip and its landmarks.
        settings: see there.
        progress: whether to show a progress bar.

    Raises:
        ReenactError: no face in the part of the clip to learn from.
    """
    model = load_face_model(settings.face_model)
    reader = FrameReader(prepared.clip)
    height, width = reader.read([0]).shape[1:3]
    camera = Camera(focal=settings.focal_factor * width, width=width, height=height)
    points = prepared.landmarks.points
    actor_frames = training_frames(len(points), settings.actor_fraction)
    seen = points.isfinite().flatten(1).all(1)
    if not seen[:actor_frames].any():
        raise ReenactError(
            f"{prepared.info.path}: no face in the first {actor_frames} of {len(points)} frames, from which the person "
            "is learned: cut the video so that it begins with the face"
        )
    held = held_frames(reader, settings.held_difference)
    timing = Timing(seen, prepared.valid, held, float(prepared.info.fps), actor_frames, prepared.cuts)

    fit = fit_landmarks(points, timing, model, camera, settings)
    label = f"{prepared.info.path.name}: refining on the image" if progress else None
    refined = refine(fit, points, timing, model, camera, reader, settings, label)
    unrefined = TrackedSkin(model, camera, fit.neutral, smooth_state(fit, points, timing, model, settings), reader)
    shape = smooth_shape(refined.fit, points, timing, model, settings)
    skin = replace(unrefined, state=State(shape.rotation, shape.translation, shape.expression))
    eyeballs, offset, gaze = fit_gaze(points, shape, timing, model, camera, settings)
    illumination = timing.smooth(refined.light, settings.light_smoothing)
    reflectance = learn_reflectance(skin, illumination, refined.colour, timing, settings)

    parameters = FaceParameters(
        rotation=matrix_to_axis_angle(shape.rotation),
        translation=shape.translation,
        identity=shape.identity.expand(len(points), -1).clone(),
        expression=shape.expression,
        illumination=illumination,
        gaze=gaze,
    )
    actor = Actor(shape.neutral, shape.identity, reflectance, eyeballs, offset, shape.modes)
    info = TrackInfo(
        source=prepared.info.path.name,
        source_sha256=prepared.source_sha256,
        clip_sha256=sha256_of(prepared.clip),
        fps=str(prepared.info.fps),
        crop=prepared.crop,
        face_model=model.name,
        face_model_hash=model.hash,
        actor_frames=actor_frames,
        settings=asdict(settings),
        notes=prepared.notes,
        cuts=prepared.cuts,
    )
    return Track(
        parameters=parameters,
        actor=actor,
        camera=camera,
        valid=prepared.valid,
        error=shape.error,
        corrective=shape.corrective,
        corrected_error=shape.corrected_error,
        photometric_error=torch.stack([photometric_error(s, timing, settings) for s in (unrefined, skin)], -1),
        landmarks=prepared.landmarks,
        info=info,
    )


@single_threaded()
def track_video(
    source: Path, folder: Path, settings: TrackerSettings | None = None, size: int = CLIP_SIZE, progress: bool = True
) -> Track:
    """Prepare and track a video: ``folder`` gets clip.mp4, track.safetensors and report.html.

    A folder that already holds the track of the same video under the same settings is left as it is; a run that was killed is
    gone on with.

    Args:
        source: any video with a face.
        folder: made if it is missing.
        settings: of the tracker.
        size: side of the working clip in pixels.
        progress: whether to show progress bars.

    Raises:
        ReenactError: as ``prepare`` and ``track``.
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
        made = track(prepared, settings, progress)
    except ReenactError:
        prepared.clip.unlink()  # what was refused leaves nothing behind
        forget(folder)
        raise
    made = replace(made, info=replace(made.info, settings=wanted))
    write_report(made, folder)
    save_track(made, folder)  # last: a folder with a track is finished
    forget(folder)
    return made


def written_by_tracking(folder: Path) -> tuple[Path, ...]:
    """All that ``track_video`` writes into the folder of a track."""
    return (*track_files(folder), folder / REPORT_NAME, folder / FOLDER_NAME)


def is_tracked(source: Path, folder: Path) -> bool:
    """Tell whether ``track_video`` with its defaults would leave the folder as it is."""
    return all(file.is_file() for file in track_files(folder)) and (
        finished_track(source, folder, stored_settings(TrackerSettings(), CLIP_SIZE)) is not None
    )


def stored_settings(settings: TrackerSettings, size: int) -> dict[str, float | int | str | bool]:
    """What a track file says of how it was made: a track made with anything else is made anew.

    The face model stands there by its hash, for paths are spelt in many ways.

    Raises:
        ReenactError: as ``load_face_model``.
    """
    return {**asdict(settings), "face_model": load_face_model(settings.face_model).hash, "size": size}


def finished_track(source: Path, folder: Path, settings: dict[str, float | int | str | bool]) -> Track | None:
    """The track in ``folder`` if it is whole and of this video under these settings, otherwise None."""
    if not source.is_file() or not (folder / CLIP_NAME).is_file() or not (folder / REPORT_NAME).is_file():
        return None
    try:
        track = load_track(folder)
    except ReenactError:
        return None
    same = track.info.settings == settings and track.info.source_sha256 == sha256_of(source)
    return track if same and track.info.clip_sha256 == sha256_of(folder / CLIP_NAME) else None
