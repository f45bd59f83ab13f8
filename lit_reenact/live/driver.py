"""What must be known of the person before the camera: their neutral face, their eyes, and the pose that they rest in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.geometry import matrix_to_axis_angle
from lit_reenact.core.schema import Camera, CropBox, Landmarks, Track
from lit_reenact.face import FaceModel, load_face_model
from lit_reenact.tracking.gaze import fit_gaze
from lit_reenact.tracking.problem import Problem, landmark_problem
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import FIT, fit_landmarks, smooth_shape, with_true_depth
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import solve
from lit_reenact.tracking.state import initial_state
from lit_reenact.tracking.working_clip import choose_crop, to_clip
from lit_reenact.transfer import mean_rotation

VIEW = 256
"""Side in pixels of the square that landmarks are measured in; the fit does not depend on it."""

MARGIN = 2.0
"""Side of that square in heights of the face, as in working clips."""


@dataclass(frozen=True)
class Driver:
    """A person before a camera.

    Attributes:
        model: face model.
        crop: the square of the picture about the head; only perspective depends on it, and the head may leave it.
        problem: the fit of pose and expression to landmarks; brings their neutral landmarks and the camera.
        eyeballs: (2, 3) mm.
        gaze_offset: (4,) radians.
        rotation: (3, 3) in double precision, the pose that they rest in.
        translation: (3,) in double precision, where they do, mm.
    """

    model: FaceModel
    crop: CropBox
    problem: Problem
    eyeballs: Tensor
    gaze_offset: Tensor
    rotation: Tensor
    translation: Tensor

    def in_view(self, points: Tensor) -> Tensor:
        """Landmarks (T, 478, 3) in pixels of the picture to pixels of the square."""
        return to_clip(Landmarks(points, points.new_ones(len(points), dtype=torch.bool)), self.crop, VIEW).points


def calibrate(points: Tensor, width: int, height: int, fps: float, face_model: str, track: Track | None = None) -> Driver:
    """Get to know a person from their first frames.

    Args:
        points: (T, 478, 3) landmarks in pixels of the pictures.
        width, height: of the pictures.
        fps: frames per second.
        face_model: name of the face model.
        track: of the same person, whose face and eyes then need not be learned: only how they sit today is.

    Raises:
        ReenactError: the track was made with another face model.
    """
    model, settings = load_face_model(face_model), TrackerSettings(face_model=face_model)
    seen = Landmarks(points, points.new_ones(len(points), dtype=torch.bool))
    crop, camera = choose_crop(seen, width, height, MARGIN), Camera(settings.focal_factor * VIEW, VIEW, VIEW)
    points = to_clip(seen, crop, VIEW).points
    if track is None:
        timing = Timing(seen.found, seen.found, ~seen.found, fps, len(points))
        fit = fit_landmarks(points, timing, model, camera, settings)
        eyeballs, offset, _ = fit_gaze(
            points, smooth_shape(fit, points, timing, model, settings), timing, model, camera, settings
        )
        problem, state = fit.problem, fit.state
    else:
        problem, eyeballs, offset = *_known(track, model, camera, settings), track.actor.gaze_offset
        landmarks = points[:, :FACE_POINTS]
        state = solve(problem, landmarks[..., :2], initial_state(problem, with_true_depth(landmarks)), FIT)
    rotation = mean_rotation(matrix_to_axis_angle(state.rotation))
    return Driver(model, crop, problem, eyeballs, offset, rotation, state.translation.double().mean(0))


def _known(track: Track, model: FaceModel, camera: Camera, settings: TrackerSettings) -> tuple[Problem, Tensor]:
    if track.info.face_model_hash != model.hash:
        raise ReenactError(
            f"{track.info.source} was tracked with the face model {track.info.face_model} ({track.info.face_model_hash}), "
            f"and the target with {model.name} ({model.hash}): track both with the same one"
        )
    return landmark_problem(model.landmarks(track.actor.neutral), model, camera, settings), track.actor.eyeballs
