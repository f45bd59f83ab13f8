from __future__ import annotations

import numpy as np
import pytest
import torch

from lit_reenact.core.facemesh import LOWER_LIP_RIM, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP_RIM
from lit_reenact.demo_clips.actors import Person, other_person, photographed_person
from lit_reenact.demo_clips.animation import Stage
from lit_reenact.demo_clips.interior import Eye
from lit_reenact.demo_clips.motion import CHANNELS, MotionScript
from lit_reenact.demo_clips.portrait import DETAIL
from lit_reenact.demo_clips.puppet import Puppet, build_puppet, project
from lit_reenact.demo_clips.shapes import SHAPES
from lit_reenact.landmarks.detection import detect

NOSE, CHIN = 1, 152


@pytest.fixture(scope="module")
def person() -> Person:
    return photographed_person()


@pytest.fixture(scope="module")
def puppet(person: Person) -> Puppet:
    return build_puppet(person.portrait, person.reshape)


def _posed(puppet: Puppet, *angles: float, **shapes: float) -> torch.Tensor:
    weights = torch.tensor([shapes.get(name, 0.0) for name in SHAPES])
    return puppet.pose(weights, torch.deg2rad(torch.tensor(angles or (0.0, 0.0, 0.0))), torch.zeros(3))


def _still(**channels: float) -> MotionScript:
    rest = dict.fromkeys(CHANNELS, 0.0) | {"light": 1.0}
    return MotionScript({name: np.array([value]) for name, value in (rest | channels).items()})


def test_without_motion_every_point_is_seen_where_it_was_photographed(puppet: Puppet) -> None:
    torch.testing.assert_close(project(_posed(puppet))[:, :2], puppet.texture_positions, atol=1e-3, rtol=0)


def test_the_cut_out_head_is_head(person: Person) -> None:
    head, hair = person.portrait.head, person.portrait.hair
    assert 0.2 < head.mean() < 0.45
    x, y = (person.portrait.landmarks[NOSE, :2] * DETAIL).astype(int)
    assert head[y, x] > 0.99
    assert hair[y, x] < 0.01
    assert max(head[:, 0].max(), head[:, -1].max(), head[-1].max()) < 0.01, "nothing of the head at the edge of the picture"


@pytest.mark.parametrize(
    ("angles", "axis", "sign"),
    [((15.0, 0, 0), 0, 1), ((-15.0, 0, 0), 0, -1), ((0, 8.0, 0), 1, -1), ((0, -8.0, 0), 1, 1)],
    ids=["to the subject's left", "to the right", "up", "down"],
)
def test_head_turns_have_the_signs_of_the_project(puppet: Puppet, angles: tuple[float, ...], axis: int, sign: int) -> None:
    moved = project(_posed(puppet, *angles))[NOSE, axis] - project(_posed(puppet))[NOSE, axis]
    assert sign * moved > 3


def test_the_neck_follows_less_the_lower_it_is(puppet: Puppet) -> None:
    def travel(points: torch.Tensor) -> torch.Tensor:
        return (_posed(puppet, 0.0, 0.0, 8.0) - puppet.rest)[points, :2].norm(dim=-1)

    below_chin = (puppet.texture_positions[:, 0] - puppet.texture_positions[CHIN, 0]).abs() < 15
    lowest = below_chin & (puppet.texture_positions[:, 1] > puppet.texture_positions[:, 1].max() - 6)
    assert travel(lowest).max() < 0.5 * travel(torch.tensor([CHIN]))


def test_lips_close_in_every_smile_and_open_with_the_jaw(puppet: Puppet) -> None:
    upper, lower = list(UPPER_LIP_RIM[1:-1]), list(LOWER_LIP_RIM[1:-1])
    photographed = (puppet.rest[lower] - puppet.rest[upper])[:, 1]
    assert photographed.max() > 5
    for smile in (0.0, 0.5, 1.0):
        closed = _posed(puppet, rest=1, smile=smile)
        assert (closed[lower] - closed[upper])[:, 1].abs().max() < 0.7
    opened = _posed(puppet, rest=1, jaw=1)
    assert (opened[14] - opened[13])[1] > 10


def test_lids_close(puppet: Puppet) -> None:
    closed = _posed(puppet, blinkRight=1)
    gap = closed[list(RIGHT_LOWER_LID[1:-1]), 1] - closed[list(RIGHT_UPPER_LID[1:-1]), 1]
    assert gap.max() < 0.1


def test_the_iris_follows_the_gaze(person: Person) -> None:
    eye = Eye(person.portrait, person.reshape, left=True, iris=person.iris)
    _, x = np.mgrid[: eye.patch.shape[0], : eye.patch.shape[1]]

    def iris(yaw: float) -> float:
        dark = eye.paint(yaw, 0.0).mean(-1) < 0.08  # the pupil
        return float(x[dark].mean())

    assert iris(-0.3) < iris(0.0) - 4.5
    assert iris(0.3) > iris(0.0) + 4.5


def test_two_different_people_are_seen() -> None:
    """FaceMesh detects both; they differ in face shape, skin and background."""
    frames = [Stage(p, 256).render(_still(), 0, np.random.default_rng(0)) for p in (photographed_person(), other_person())]
    detection = detect(frames, total=None, progress=None)
    assert detection.found.all()
    shapes = detection.points[:, :468, :2] - detection.points[:, :468, :2].mean(1, keepdim=True)
    shapes = shapes / shapes.flatten(1).norm(dim=1)[:, None, None]
    assert (shapes[0] - shapes[1]).norm(dim=-1).mean() / (shapes[0][33] - shapes[0][263]).norm() > 0.02
    nose = [tuple(point[NOSE, :2].round().int().tolist()) for point in detection.points]
    skin = [frame[y - 3 : y + 4, x - 3 : x + 4].mean() for frame, (x, y) in zip(frames, nose, strict=True)]
    assert skin[1] < skin[0] - 25
    assert np.abs(frames[0][5, 5].astype(int) - frames[1][5, 5]).max() > 40


def test_only_noise_differs_between_two_frames_without_motion(person: Person) -> None:
    stage = Stage(person, 128)
    first, second = (stage.render(_still(), 0, np.random.default_rng(seed)).astype(float) for seed in (0, 1))
    assert 1.5 < (first - second).std() < 3.5
