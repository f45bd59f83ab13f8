"""Transfer of pose and position, compared with SciPy's rotations and values by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.transfer import REACH, limit_softly, mean_rotation, neck, reenact, transfer_rotation, transfer_translation
from tests.factories import make_track


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Track:
    return make_track(tmp_path_factory.mktemp("track"), frames=24)


def test_mean_rotation_equals_scipy() -> None:
    rotations = 0.6 * torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = Rotation.from_rotvec(rotations.numpy()).mean().as_matrix()
    torch.testing.assert_close(mean_rotation(rotations), torch.from_numpy(expected), rtol=0, atol=1e-10)


def test_turns_are_applied_to_the_mean_pose_of_the_target() -> None:
    """A source who sits turned by 20 degrees and nods by +-5 makes a target turned by -10 nod by +-5 too."""
    nod = Rotation.from_euler("x", [[-5.0], [0.0], [5.0]], degrees=True)
    source = (nod * Rotation.from_euler("y", 20, degrees=True)).as_rotvec()
    resting = Rotation.from_euler("y", -10, degrees=True)
    target = torch.from_numpy(resting.as_rotvec()).expand(4, 3)
    expected = (nod * resting).as_rotvec()
    torch.testing.assert_close(transfer_rotation(torch.from_numpy(source), target), torch.from_numpy(expected), rtol=0, atol=1e-9)


def placed(rotation: Tensor, translation: Tensor) -> FaceParameters:
    """Return a head with this pose and place and nothing else."""
    frames = len(rotation)
    rest = {"identity": 4, "expression": 6, "illumination": 27, "gaze": 4}
    empty = {name: torch.zeros(frames, size, dtype=torch.float64) for name, size in rest.items()}
    return FaceParameters(rotation=rotation, translation=translation, **empty)


def about(place: list[float], moves: Tensor) -> Tensor:
    return torch.tensor(place, dtype=torch.float64) + moves - moves.mean(0)


def test_moves_keep_their_size_and_depth_its_ratio() -> None:
    """The heads never turn, and all moves lie in the target's range."""
    source = about([20.0, 2.0, 1000.0], torch.tensor([[-10.0, -2.0, -100.0], [10.0, 2.0, 100.0]]))
    target = about([0.0, 50.0, 500.0], torch.tensor([[-40.0, -40.0, -80.0], [40.0, 40.0, 80.0]]))
    still = torch.zeros(2, 3, dtype=torch.float64)
    expected = torch.tensor([[-10.0, 48.0, 450.0], [10.0, 52.0, 550.0]], dtype=torch.float64)
    torch.testing.assert_close(transfer_translation(placed(still, source), placed(still, target)), expected)


def test_a_head_turns_on_the_neck_of_the_target() -> None:
    """Each head turns on a neck of its own length, and moves at random too."""
    generator = torch.Generator().manual_seed(0)
    turns, turns_of_target = (0.1 * torch.randn(400, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    rest, rest_of_target = (torch.randn(400, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    axes = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    source = placed(turns, about([0.0, 0.0, 1000.0], 80 * turns @ axes + rest))
    target = placed(turns_of_target, about([5.0, 0.0, 1000.0], -30 * turns_of_target @ axes + rest_of_target))
    result = transfer_translation(source, target)
    expected = about([5.0, 0.0, 1000.0], -30 * turns @ axes + rest)
    assert (result - expected).abs().mean() < 0.5  # mm; the ridge takes 3 % of 3 mm, and chance ties turns to the rest
    assert (result - source.translation).abs().mean() > 3


def test_neck_is_the_least_squares_solution_where_the_head_turns_much() -> None:
    generator = torch.Generator().manual_seed(0)
    turns = torch.randn(50, 3, dtype=torch.float64, generator=generator)
    moves = torch.randn(50, 3, dtype=torch.float64, generator=generator)
    expected = np.linalg.lstsq(turns.numpy(), moves.numpy(), rcond=None)[0]
    estimated = neck(turns, moves).numpy()
    assert np.abs(estimated[:, :2] - expected[:, :2]).max() < 1e-3
    assert (estimated[:, 2] == 0).all()
    assert (neck(0 * turns, moves) == 0).all()


def test_limits_are_approached_and_never_passed() -> None:
    values = torch.linspace(-1000, 1000, 2001, dtype=torch.float64)[:, None]
    low, high = torch.tensor([-10.0], dtype=torch.float64), torch.tensor([30.0], dtype=torch.float64)
    limited = limit_softly(values, low, high)[:, 0]
    inside = (values[:, 0] >= -10) & (values[:, 0] <= 30)
    assert torch.equal(limited[inside], values[inside, 0])
    assert (limited.diff() >= 0).all()
    assert limited[1031] == pytest.approx(31, abs=0.01)  # without a kink
    assert limited[[0, -1]].tolist() == pytest.approx([-10 - 40 * REACH, 30 + 40 * REACH])
    still = torch.zeros(1, dtype=torch.float64)
    assert (limit_softly(values, still, still).abs() < 1e-6).all()


def test_a_second_take_of_the_same_motion_keeps_it(track: Track) -> None:
    """If all frames are training frames, every mean is the same, and only the light changes, to its mean."""
    track = replace(track, info=replace(track.info, actor_frames=len(track)))
    take = replace(track, info=replace(track.info, clip_sha256="another"))
    result = reenact(take, track)
    for name in ("rotation", "translation", "identity", "expression", "gaze"):
        torch.testing.assert_close(getattr(result, name), getattr(track.parameters, name), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(result.illumination, track.parameters.illumination.mean(0).expand(len(track), -1))


def test_identity_and_light_are_the_targets_from_its_training_frames(track: Track) -> None:
    training = track.info.actor_frames
    target = replace(
        track,
        actor=replace(track.actor, identity=track.actor.identity + 1),
        parameters=track.parameters.replace(
            illumination=torch.cat([torch.ones(training, 27), torch.full((len(track) - training, 27), 9.0)])
        ),
    )
    result = reenact(track, target)
    assert (result.identity == 1).all()
    assert (result.illumination == 1).all()
    assert len(result) == len(track)


def test_other_face_models_are_refused_with_both_names(track: Track) -> None:
    other = replace(track, info=replace(track.info, source="other.mp4", face_model="flame", face_model_hash="abc"))
    with pytest.raises(ReenactError, match=r"synthetic\.mp4.*builtin.*other\.mp4.*flame"):
        reenact(track, other)
