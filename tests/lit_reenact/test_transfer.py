"""Recombination against SciPy's rotations and values worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.spatial.transform import Rotation

from lit_reenact.errors import ReenactError
from lit_reenact.schema import Track
from lit_reenact.transfer import mean_rotation, reenact, transfer_rotation, transfer_translation
from tests.factories import make_track


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Track:
    return make_track(tmp_path_factory.mktemp("track"), frames=24)


def test_mean_rotation_equals_scipy() -> None:
    rotations = 0.6 * torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = Rotation.from_rotvec(rotations.numpy()).mean().as_matrix()
    torch.testing.assert_close(mean_rotation(rotations), torch.from_numpy(expected), rtol=0, atol=1e-10)


def test_turns_are_performed_about_the_targets_mean() -> None:
    """A source who sits turned by 20 degrees and nods by +-5 makes a target turned by -10 nod by +-5 in the same way."""
    nod = Rotation.from_euler("x", [[-5.0], [0.0], [5.0]], degrees=True)
    source = (nod * Rotation.from_euler("y", 20, degrees=True)).as_rotvec()
    resting = Rotation.from_euler("y", -10, degrees=True)
    target = torch.from_numpy(resting.as_rotvec()).expand(4, 3)
    expected = (nod * resting).as_rotvec()
    torch.testing.assert_close(transfer_rotation(torch.from_numpy(source), target), torch.from_numpy(expected), rtol=0, atol=1e-9)


def test_moves_keep_their_size_and_depth_its_ratio() -> None:
    source = torch.tensor([[10.0, 0.0, 900.0], [30.0, 4.0, 1100.0]])
    target = torch.tensor([[0.0, 50.0, 500.0]])
    expected = torch.tensor([[-10.0, 48.0, 450.0], [10.0, 52.0, 550.0]])
    torch.testing.assert_close(transfer_translation(source, target), expected)


def test_an_actor_who_drives_itself_keeps_its_motion(track: Track) -> None:
    """With all frames in the training part every mean is the same, so only the light is exchanged for its mean."""
    track = replace(track, info=replace(track.info, actor_frames=len(track)))
    made = reenact(track, track)
    for name in ("rotation", "translation", "identity", "expression", "gaze"):
        torch.testing.assert_close(getattr(made, name), getattr(track.parameters, name), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(made.illumination, track.parameters.illumination.mean(0).expand(len(track), -1))


def test_identity_and_light_are_the_targets_from_its_training_frames(track: Track) -> None:
    training = track.info.actor_frames
    target = replace(
        track,
        actor=replace(track.actor, identity=track.actor.identity + 1),
        parameters=track.parameters.replace(
            illumination=torch.cat([torch.ones(training, 27), torch.full((len(track) - training, 27), 9.0)])
        ),
    )
    made = reenact(track, target)
    assert (made.identity == 1).all()
    assert (made.illumination == 1).all()
    assert len(made) == len(track)


def test_other_face_models_are_refused_with_both_names(track: Track) -> None:
    other = replace(track, info=replace(track.info, source="other.mp4", face_model="flame", face_model_hash="abc"))
    with pytest.raises(ReenactError, match=r"synthetic\.mp4.*builtin.*other\.mp4.*flame"):
        reenact(track, other)
