"""Calibration of the driver, the person before the camera: neutral face, eyes, and resting pose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.geometry import matrix_to_axis_angle
from lit_reenact.core.schema import Camera, CropBox, Landmarks, Track
from lit_reenact.face import FaceModel, load_face_model
from lit_reenact.tracking.crop import MARGIN, choose_crop, to_clip
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.gaze import fit_gaze
from lit_reenact.tracking.problem import Problem, landmark_problem
from lit_reenact.tracking.schedule import FIT
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import fit_landmarks, smooth_shape, with_true_depth
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import solve
from lit_reenact.tracking.state import initial_state
from lit_reenact.transfer import mean_rotation

VIEW = 256
"""Side in pixels of the square view that landmarks are mapped to; the fit does not depend on it."""


@dataclass(frozen=True)
class Driver:
    """The person before the camera, who drives the target.

    Attributes:
        model: face model.
        crop: square of the camera's frame about the head. Only perspective depends on it; the head may leave it.
        problem: fit of pose and expression to landmarks, with the driver's neutral landmarks and the camera.
        eyeballs: (2, 3) centres of the eyeballs in head axes, mm.
        gaze_offset: (4,) radians, added to the measured gaze.
        rotation: (3, 3) resting rotation, double precision.
        translation: (3,) resting place in the camera, mm, double precision.
    """

    model: FaceModel
    crop: CropBox
    problem: Problem
    eyeballs: Tensor
    gaze_offset: Tensor
    rotation: Tensor
    translation: Tensor

    def to_view(self, points: Tensor) -> Tensor:
        """Map landmarks (T, 478, 3) from pixels of the camera's frame to pixels of the square view."""
        return to_clip(Landmarks(points, points.new_ones(len(points), dtype=torch.bool)), self.crop, VIEW).points


def calibrate(points: Tensor, width: int, height: int, fps: float, face_model: str, track: Track | None = None) -> Driver:
    """Learn the driver's face, eyes and resting pose from their first frames.

    Args:
        points: (T, 478, 3) landmarks in pixels of the camera's frames.
        width: width of these frames, pixels.
        height: height of these frames, pixels.
        fps: frames per second.
        face_model: name of the face model.
        track: track of the same person. It supplies face and eyes, so that only the resting pose is learned.

    Raises:
        ReenactError: ``track`` was made with another face model.
    """
    model, settings = load_face_model(face_model), TrackerSettings(face_model=face_model)
    seen = Landmarks(points, points.new_ones(len(points), dtype=torch.bool))
    crop, camera = choose_crop(seen, width, height, MARGIN), Camera(settings.focal_factor * VIEW, VIEW, VIEW)
    points = to_clip(seen, crop, VIEW).points
    if track is None:
        timing = Timing(seen.found, seen.found, ~seen.found, fps, len(points))
        footage = Footage(points, timing, model, camera, settings)
        fit = fit_landmarks(footage)
        eyeballs, offset, _ = fit_gaze(smooth_shape(fit, footage), footage)
        problem, state = fit.problem, fit.state
    else:
        problem, eyeballs, offset = *_from_track(track, model, camera, settings), track.actor.gaze_offset
        landmarks = points[:, :FACE_POINTS]
        state = solve(problem, landmarks[..., :2], initial_state(problem, with_true_depth(landmarks)), FIT)
    rotation = mean_rotation(matrix_to_axis_angle(state.rotation))
    return Driver(model, crop, problem, eyeballs, offset, rotation, state.translation.double().mean(0))


def _from_track(track: Track, model: FaceModel, camera: Camera, settings: TrackerSettings) -> tuple[Problem, Tensor]:
    if track.info.face_model_hash != model.hash:
        raise ReenactError(
            f"{track.info.source} was tracked with the face model {track.info.face_model} ({track.info.face_model_hash}), "
            f"and the target with {model.name} ({model.hash}): track both with the same one"
        )
    return landmark_problem(model.landmarks(track.actor.neutral), model, camera, settings), track.actor.eyeballs
