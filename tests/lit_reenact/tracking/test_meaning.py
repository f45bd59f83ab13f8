"""Meaning of expression names: one expression comes back as itself, and a mirrored face as its mirror image."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lit_reenact.core.facemesh import mirror_indices
from lit_reenact.core.geometry import axis_angle_to_matrix, euler_to_matrix, matrix_to_axis_angle, matrix_to_euler
from lit_reenact.core.schema import LANDMARK_COUNT, Camera
from lit_reenact.face import builtin_model
from lit_reenact.landmarks.detection import detect
from lit_reenact.metrics import pearson_r, slope
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.synthesis import conditioning_picture
from lit_reenact.tracking import energy
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.problem import landmark_problem
from lit_reenact.tracking.schedule import FIT
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import Shape, fit_landmarks, smooth_shape
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import solve
from lit_reenact.tracking.state import initial_state
from lit_reenact.tracking.tracker import track_video
from lit_reenact.tracking.working_clip import prepare
from lit_reenact.video import FrameReader
from tests.factories import make_parameters

CAMERA = Camera(focal=4.5 * 256, width=256, height=256)
MODEL = builtin_model()
NAMES = MODEL.expression_names


def seen_by_mediapipe(expression: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Project landmarks (T, 468, 3) of the mean face into pixels, with exaggerated depth."""
    points = energy.deform(MODEL.landmarks(MODEL.vertices), MODEL.at_landmarks(MODEL.expression_basis), expression)
    _, placed = energy.place(points, axis_angle_to_matrix(rotation), translation)
    depth = (placed[..., 2:] - translation[:, None, 2:]) * CAMERA.focal / translation[:, None, 2:] / 0.8
    return torch.cat([energy.project_landmarks(placed, CAMERA), depth], -1)


def other_side(name: str) -> str:
    """Return the name of a shape in the mirror; signed shapes that move sideways keep their names."""
    if "Left-" in name:
        return name
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    return name.removesuffix("Right") + "Left" if name.endswith("Right") else name


def mirrored_expression(expression: Tensor) -> Tensor:
    """Return the coefficients (T, K) of the mirrored face."""
    columns = [expression[:, NAMES.index(other_side(name))] * (-1 if "Left-" in name else 1) for name in NAMES]
    return torch.stack(columns, 1)


def mirrored_points(points: Tensor) -> Tensor:
    """Return the landmarks (T, 478, 3) of the mirrored picture."""
    face = points[:, mirror_indices()]
    irises = points[:, [*range(473, 478), *range(468, 473)]]
    return torch.cat([face, irises], 1) * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([256.0, 0.0, 0.0])


def fitted(points: Tensor) -> Shape:
    seen = torch.ones(len(points), dtype=torch.bool)
    timing = Timing(seen, seen, ~seen, fps=30.0, actor_frames=int(0.7 * len(points)))
    footage = Footage(points, timing, MODEL, CAMERA, TrackerSettings())
    return smooth_shape(fit_landmarks(footage), footage)


def euler(shape: Shape) -> Tensor:
    return matrix_to_euler(shape.rotation).rad2deg()


def test_one_expression_at_a_time_comes_back_under_its_own_name_and_side() -> None:
    """Test all shapes but ``mouthClose``, which has an effect only under an open jaw."""
    shapes = [k for k, name in enumerate(NAMES) if name != "mouthClose"]
    expression = torch.zeros(len(shapes), len(NAMES))
    expression[range(len(shapes)), shapes] = 0.7
    rest = torch.zeros(len(shapes), 3)
    points = seen_by_mediapipe(expression, rest, torch.tensor([0.0, 0.0, 1200.0]).repeat(len(shapes), 1))
    problem = landmark_problem(MODEL.landmarks(MODEL.vertices), MODEL, CAMERA, TrackerSettings(expression_prior=1.0))
    state = solve(problem, points[..., :2], initial_state(problem, points * torch.tensor([1, 1, 0.8])), FIT)
    strongest = state.expression.abs().argmax(1)
    wrong = [(NAMES[k], NAMES[int(found)]) for k, found in zip(shapes, strongest, strict=True) if k != found]
    assert not wrong
    own = state.expression[range(len(shapes)), shapes]
    assert (own > 0.35).all()


def test_the_mirror_image_of_a_motion_is_tracked_as_its_mirror_image() -> None:
    parameters = make_parameters(MODEL, 60, seed=5)
    points = seen_by_mediapipe(parameters.expression, parameters.rotation, parameters.translation)
    points = torch.cat([points, torch.zeros(60, LANDMARK_COUNT - 468, 3)], 1)
    plain, mirrored = fitted(points), fitted(mirrored_points(points))
    torch.testing.assert_close(euler(mirrored), euler(plain) * torch.tensor([-1.0, 1.0, -1.0]), atol=0.2, rtol=0)
    assert (mirrored.expression - mirrored_expression(plain.expression)).abs().mean() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", ["d9", "d14"])
def test_a_mirrored_clip_is_tracked_as_its_mirror_image(shared_dir: Path, tmp_path: Path, name: str) -> None:
    """Mirror the pixels and detect the landmarks again."""
    prepared = prepare(shared_dir / "videos" / f"{name}.mp4", tmp_path / "clip.mp4", size=256, progress=False)
    frames = FrameReader(prepared.clip).read(range(200)).numpy()
    plain, mirrored = (fitted(detect(iter(f), len(f), None).points) for f in (frames, np.ascontiguousarray(frames[:, :, ::-1])))
    pose = (euler(mirrored) - euler(plain) * torch.tensor([-1.0, 1.0, -1.0])).abs()
    assert (pose.mean(0) <= 1.5).all()
    assert (mirrored.expression - mirrored_expression(plain.expression)).abs().mean() <= 0.05


@pytest.mark.slow
def test_a_head_that_turns_by_35_degrees_is_not_lost(shared_dir: Path, tmp_path: Path) -> None:
    """Turn a real face by rendering it; heads in real clips hardly turn half as far."""
    track = track_video(shared_dir / "videos" / "d9.mp4", tmp_path, progress=False)
    frames = 90
    yaw = torch.deg2rad(35 * torch.sin(torch.arange(frames) * 4 * math.pi / frames))
    angles = torch.stack([yaw, torch.zeros(frames), torch.zeros(frames)], 1)
    parameters = track.parameters[torch.zeros(frames, dtype=torch.long)]
    parameters = parameters.replace(rotation=matrix_to_axis_angle(euler_to_matrix(angles)))
    images = ConditioningRenderer(MODEL, track.actor, track.camera)(parameters)
    grey = torch.where((images == 0).all(1)[..., None], torch.tensor(150, dtype=torch.uint8), conditioning_picture(images))
    landmarks = detect(iter(grey.numpy()), frames, None)
    assert landmarks.found.all()
    shape = fitted(landmarks.points)
    assert pearson_r(yaw, euler(shape)[:, 0]) > 0.99
    assert 0.75 <= slope(yaw.rad2deg(), euler(shape)[:, 0]) <= 1.2  # MediaPipe takes a rendered mask to be deeper than it is
    assert shape.fitted_error.mean() < 1.3
