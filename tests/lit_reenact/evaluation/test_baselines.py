from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lit_reenact.core.geometry import gaze_direction, head_to_camera, project
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.evaluation.baselines import MeanFrame, NearestFrame
from lit_reenact.face.model import FaceModel
from lit_reenact.rendering.reference_selection import IRIS_WEIGHT

CAMERA = Camera(focal=300.0, width=64, height=64)
VERTICES = 6


@pytest.fixture
def model() -> FaceModel:
    random = torch.Generator().manual_seed(0)
    return FaceModel(
        name="six",
        vertices=torch.randn(VERTICES, 3, generator=random) * 40,
        faces=torch.tensor([[0, 1, 2]]),
        region=torch.zeros(1, dtype=torch.uint8),
        uv=torch.zeros(VERTICES, 2),
        correspondence=torch.zeros(VERTICES, 3),
        identity_basis=torch.zeros(1, VERTICES, 3),
        identity_scale=torch.ones(1),
        expression_basis=torch.randn(4, VERTICES, 3, generator=random) * 5,
        expression_names=("a", "b", "c", "d"),
        expression_bounds=torch.tensor([[0.0, 1.0]]).repeat(4, 1),
        landmark_corners=torch.tensor([[5, 5, 5], [0, 1, 2], [3, 3, 3]]),
        landmark_weights=torch.tensor([[1.0, 0, 0], [0.5, 0.25, 0.25], [1, 0, 0]]),
        landmark_offset=torch.tensor([[0.0, 0, 0], [1, 2, 3], [0, 0, 0]]),
        mirror_vertices=torch.arange(VERTICES),
        eyeballs=torch.tensor([[30.0, 0.0, 0.0], [-30.0, 0.0, 0.0]]),
    )


@pytest.fixture
def actor(model: FaceModel) -> Actor:
    return Actor(model.vertices, torch.zeros(1), torch.ones(3, 4, 4), model.eyeballs, torch.zeros(4), torch.zeros(0, 468, 3))


def random_parameters(frames: int, seed: int) -> FaceParameters:
    random = torch.Generator().manual_seed(seed)
    return FaceParameters(
        rotation=torch.randn(frames, 3, generator=random) * 0.2,
        translation=torch.randn(frames, 3, generator=random) * 8 + torch.tensor([0.0, 0.0, 600.0]),
        identity=torch.zeros(frames, 1),
        expression=torch.rand(frames, 4, generator=random),
        illumination=torch.zeros(frames, 27),
        gaze=torch.randn(frames, 4, generator=random) * 0.2,
    )


def test_mean_frame_is_the_rounded_mean_of_the_training_frames_alone() -> None:
    clip = torch.randint(0, 256, (150, 4, 5, 3), dtype=torch.uint8)
    training = torch.arange(100)
    (generated,) = MeanFrame(clip.__getitem__, training).frames(random_parameters(1, 0))
    assert torch.equal(generated, clip[:100].double().mean(0).round().to(torch.uint8))


def test_nearest_frame_agrees_with_a_search_by_hand(model: FaceModel, actor: Actor) -> None:
    parameters, wanted = random_parameters(40, 1), random_parameters(9, 2)
    training = torch.tensor([k for k in range(40) if k % 3])
    clip = torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(40, 2, 2, 3)
    nearest = NearestFrame(clip.__getitem__, training, parameters, model, actor, CAMERA)

    def seen(one: FaceParameters) -> Tensor:
        gaze = one.gaze[0]
        irises = [actor.eyeballs[eye] + 12.0 * gaze_direction(gaze[2 * eye : 2 * eye + 2]) for eye in range(2)]
        mesh = model.mesh(actor, one)[0]
        between = mesh[0] / 2 + mesh[1] / 4 + mesh[2] / 4 + torch.tensor([1.0, 2.0, 3.0])
        points = torch.cat([torch.stack([mesh[5], between, mesh[3]]), torch.stack(irises)])
        return project(head_to_camera(points, one.rotation, one.translation), CAMERA)[0, :, :2]

    for k, frame in enumerate(nearest.frames(wanted)):
        cost = {}
        for number in training.tolist():
            squares = (seen(wanted[k : k + 1]) - seen(parameters[number : number + 1])).square().sum(1)
            cost[number] = float(squares[:3].sum() + IRIS_WEIGHT * squares[3:].sum())
        assert int(frame[0, 0, 0]) == min(cost, key=lambda number: cost[number])


def test_a_training_frame_is_nearest_to_itself_whatever_its_light(model: FaceModel, actor: Actor) -> None:
    parameters = random_parameters(30, 3)
    training = torch.arange(20)
    nearest = NearestFrame(torch.zeros(30, 2, 2, 3).__getitem__, training, parameters, model, actor, CAMERA)
    relit = parameters[:20].replace(illumination=torch.ones(20, 27))
    assert torch.equal(nearest.numbers(relit), training)
