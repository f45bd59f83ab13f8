"""The online tracker: it recovers known motion, uses no future frame, and tracks a real face like the offline tracker."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.core.schema import Camera, CropBox
from lit_reenact.landmarks.detection import find_faces
from lit_reenact.live.driver import VIEW, Driver, calibrate
from lit_reenact.live.tracker import LOST, LiveMotion, OnlineTracker
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.schedule import FIT
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import fit_landmarks, smooth_shape, with_true_depth
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import solve
from lit_reenact.tracking.state import initial_state
from lit_reenact.video import iterate_frames
from tests.lit_reenact.live.conftest import SIZE, Scene


def angles(found: Tensor, known: Tensor) -> Tensor:
    """Degrees between axis-angle rotations (T, 3)."""
    between = axis_angle_to_matrix(found) @ axis_angle_to_matrix(known).transpose(-1, -2)
    return torch.rad2deg(torch.linalg.vector_norm(matrix_to_axis_angle(between), dim=-1))


def follow(driver: Driver, points: Tensor) -> LiveMotion:
    """Track T frames at 30 per second; return their motion, stacked."""
    tracker = OnlineTracker(driver)
    motions = [tracker(each, number / 30) for number, each in enumerate(points)]
    return LiveMotion(*(torch.stack([getattr(motion, part.name) for motion in motions]) for part in fields(LiveMotion)))


@pytest.fixture(scope="module")
def driver(scene: Scene) -> Driver:
    """A driver whose crop is the whole frame, so that the camera is the scene's."""
    known = calibrate(scene.points[:20], SIZE, SIZE, 30.0, "builtin", scene.track)
    return replace(known, crop=CropBox(0, 0, SIZE))


@pytest.fixture(scope="module")
def found(scene: Scene, driver: Driver) -> LiveMotion:
    return follow(driver, scene.points)


def test_known_motion_is_recovered(scene: Scene, found: LiveMotion) -> None:
    known = scene.track.parameters
    assert angles(found.rotation, known.rotation).mean() < 2
    assert (found.translation - known.translation)[:, :2].abs().mean() < 1.5  # mm
    gaze = torch.rad2deg((found.gaze - known.gaze).abs())
    assert gaze.median() < 0.6 * torch.rad2deg(known.gaze.abs()).median()


def test_no_future_frame_is_used(scene: Scene, driver: Driver, found: LiveMotion) -> None:
    early = follow(driver, scene.points[:9])
    for part in fields(LiveMotion):
        assert torch.equal(getattr(early, part.name), getattr(found, part.name)[:9]), part.name


def test_a_face_that_returns_is_found_again(scene: Scene, driver: Driver) -> None:
    tracker = OnlineTracker(driver)
    tracker(scene.points[0], 0.0)
    later = tracker(scene.points[40], 0.1 + LOST)
    fresh = OnlineTracker(driver)(scene.points[40], 7.0)
    torch.testing.assert_close(later.rotation, fresh.rotation)
    torch.testing.assert_close(later.expression, fresh.expression)


def test_the_resting_pose_is_that_of_the_first_frames(scene: Scene) -> None:
    points = scene.points[30:31].expand(15, -1, -1)
    seen = calibrate(points, SIZE, SIZE, 30.0, "builtin", scene.track)
    rest = matrix_to_axis_angle(seen.rotation[None]).float()
    assert angles(rest, scene.track.parameters.rotation[30:31]) < 5  # the crop is smaller, so the perspective differs


def test_a_track_of_another_face_model_is_refused(scene: Scene) -> None:
    other = replace(scene.track, info=replace(scene.track.info, face_model_hash="0"))
    with pytest.raises(ReenactError, match="track both with the same one"):
        calibrate(scene.points[:20], SIZE, SIZE, 30.0, "builtin", other)


@pytest.mark.slow
def test_a_real_face_is_tracked_as_offline(shared_dir: Path) -> None:
    """Compare with the offline tracker on the same landmarks: a face that grimaces, blinks and moves its eyes."""
    frames = list(islice(iterate_frames(shared_dir / "videos" / "d14.mp4"), 105))
    points = torch.stack([torch.from_numpy(faces[0]) for faces in find_faces(frames, 1)])
    side = frames[0].shape[0]
    known = calibrate(points[:60], side, side, 30.0, "builtin")
    seen, settings = torch.ones(len(points), dtype=torch.bool), TrackerSettings()
    timing = Timing(seen, seen, ~seen, 30.0, 60)
    camera = Camera(settings.focal_factor * VIEW, VIEW, VIEW)
    view = known.to_view(points)
    footage = Footage(view, timing, known.model, camera, settings)
    offline = smooth_shape(fit_landmarks(footage), footage)
    online = follow(known, points)
    observed = view[:, :FACE_POINTS]
    fitted = solve(known.problem, observed[..., :2], initial_state(known.problem, with_true_depth(observed)), FIT)
    unsmoothed = matrix_to_axis_angle(fitted.rotation)
    late = slice(60, None)  # neither tracker has learned the person from these
    turn = angles(online.rotation, matrix_to_axis_angle(offline.rotation))[late]
    assert turn.mean() < 0.6
    assert turn.max() < 3
    distance = torch.linalg.vector_norm(online.expression - offline.expression, dim=-1)[late]
    assert distance.mean() < 0.25 * torch.linalg.vector_norm(offline.expression, dim=-1)[late].mean()
    jitter = [torch.linalg.vector_norm(each.diff(n=2, dim=0), dim=-1)[late].mean() for each in (online.rotation, unsmoothed)]
    assert jitter[0] < 0.7 * jitter[1]
