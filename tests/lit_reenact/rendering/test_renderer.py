"""Named conditioning images: their order, and their content computed without their renderer."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from lit_reenact.core.facemesh import LOWER_LIP_RIM, UPPER_LIP_RIM
from lit_reenact.core.geometry import euler_to_matrix, head_to_camera, matrix_to_axis_angle, project
from lit_reenact.core.schema import CONDITIONING, Camera, ConditioningImage, FaceParameters
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.face.model import vertex_normals
from lit_reenact.face.topology import HEAD, SKIN
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.landmark_lines import IRISES, PARTS
from lit_reenact.rendering.renderer import FARTHER, NEARER, NamedImagesRenderer, Renderer, make_renderer
from tests.factories import make_actor, make_parameters

CAMERA = Camera(focal=1400.0, width=256, height=256)
ALL: tuple[ConditioningImage, ...] = ("diffuse", "correspondence", "eyes", "landmarks", "normals", "depth")


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def renderer_of(model: FaceModel, *images: ConditioningImage, size: int | None = None) -> Renderer:
    return make_renderer(model, make_actor(model), CAMERA, size, images)


def posed(model: FaceModel, yaw: float = 0.0, **coefficients: float) -> FaceParameters:
    """Return one frame, 1200 mm away, turned by ``yaw`` degrees, eyes ahead, with some coefficients of expression."""
    angles = torch.deg2rad(torch.tensor([[yaw, 0.0, 0.0]]))
    parameters = make_parameters(model, 1).replace(
        rotation=matrix_to_axis_angle(euler_to_matrix(angles)),
        translation=torch.tensor([[0.0, 0.0, 1200.0]]),
        expression=torch.zeros(1, len(model.expression_names)),
        gaze=torch.zeros(1, 4),
    )
    for name, value in coefficients.items():
        parameters.expression[:, model.expression_names.index(name)] = value
    return parameters


def projected(model: FaceModel, parameters: FaceParameters, head: Tensor) -> Tensor:
    """Project head points (N, 3) of one frame to pixels and depth (N, 3)."""
    return project(head_to_camera(head[None], parameters.rotation, parameters.translation), CAMERA)[0]


def test_the_three_images_of_the_paper_are_drawn_by_their_own_renderer(model: FaceModel) -> None:
    assert type(renderer_of(model, *CONDITIONING)) is ConditioningRenderer
    assert type(renderer_of(model, *CONDITIONING[::-1])) is NamedImagesRenderer


def test_images_stand_in_the_order_of_their_names(model: FaceModel) -> None:
    parameters = make_parameters(model, 3)
    everything = renderer_of(model, *ALL, size=64).draw(parameters)
    assert everything.shape == (3, 19, 64, 64)
    single = {name: renderer_of(model, name, size=64).draw(parameters) for name in ALL}
    for place, name in enumerate(ALL):
        assert torch.equal(everything[:, 3 * place : 3 * place + 3], single[name][:, :3])
        assert single[name][:, :3].any()
    standard = ConditioningRenderer(model, make_actor(model), CAMERA, 64)
    assert torch.equal(everything[:, :9], standard(parameters))
    assert torch.equal(everything[:, -1], standard.regions(parameters))
    mixed = renderer_of(model, "eyes", "depth", "diffuse", size=64)
    assert torch.equal(mixed(parameters), torch.cat([single[name][:, :3] for name in ("eyes", "depth", "diffuse")], 1))
    assert torch.equal(mixed.regions(parameters), standard.regions(parameters))


def test_a_frame_is_drawn_alike_among_any_others(model: FaceModel) -> None:
    renderer, parameters = renderer_of(model, "landmarks", "normals", "depth", size=32), make_parameters(model, 40)
    together = renderer(parameters)
    for step in (1, 3, 16):
        apart = torch.cat([renderer(parameters[start : start + step]) for start in range(0, 40, step)])
        assert torch.equal(apart, together)
    assert renderer(parameters[:0]).shape == (0, 9, 32, 32)


@pytest.mark.parametrize("yaw", [0.0, 30.0])
def test_normals_are_those_of_the_mesh(model: FaceModel, yaw: float) -> None:
    """The normals are those of the skin, turned with the head, at vertices near the middle of the face, which are surely seen."""
    parameters = posed(model, yaw)
    image = renderer_of(model, "normals")(parameters)[0].float() / 127.5 - 1
    on_skin = (model.region == SKIN) | (model.region == HEAD)
    faces = torch.cat([model.faces[on_skin], model.inner_faces])
    turn = euler_to_matrix(torch.deg2rad(torch.tensor([yaw, 0.0, 0.0])))
    normals = vertex_normals(model.vertices[None], faces)[0] @ turn.T  # x right, y up, z to the viewer
    places = projected(model, parameters, model.vertices)
    cheeks_nose_forehead = [50, 280, 4, 195, 151, 9, 205, 425, 199]
    for vertex in cheeks_nose_forehead:
        column, row = (places[vertex, :2]).long().tolist()
        assert torch.rad2deg(torch.acos((image[:, row, column] * normals[vertex]).sum().clamp(-1, 1))) < 8
    assert (image.norm(dim=0)[60:200:10, 128] - 1).abs().max() < 0.05  # unit vectors inside the face


def test_depth_is_counted_from_the_head(model: FaceModel) -> None:
    renderer, parameters = renderer_of(model, "depth"), posed(model)
    image = renderer(parameters)
    assert torch.equal(image[:, 0], image[:, 1])
    assert torch.equal(image[:, 0], image[:, 2])
    places = projected(model, parameters, model.vertices)
    for vertex in (4, 50, 280, 151, 199):  # nose, cheeks, forehead, chin
        column, row = places[vertex, :2].long().tolist()
        expected = 255 * (FARTHER - (places[vertex, 2] - 1200)) / (NEARER + FARTHER)
        assert abs(float(image[0, 0, row, column]) - float(expected)) < 3
    further = parameters.replace(translation=parameters.translation * torch.tensor([1.0, 1.0, 1.5]))
    assert abs(int(renderer(further)[0, 0].max()) - int(image[0, 0].max())) <= 2


def test_normals_and_depth_are_black_where_the_head_is_not(model: FaceModel) -> None:
    images = renderer_of(model, "correspondence", "normals", "depth")(posed(model, 20.0))[0]
    head = images[:3].any(0)
    eyes = renderer_of(model, "eyes")(posed(model, 20.0))[0].any(0)
    for image in (images[3:6], images[6:9]):
        assert ((image.amax(0) > 0) == (head | eyes)).float().mean() > 0.999


def test_an_open_mouth_is_a_hole_in_depth_and_a_closed_one_is_not(model: FaceModel) -> None:
    def within_lips(parameters: FaceParameters) -> Tensor:
        mesh = model.mesh(make_actor(model), parameters)[0]
        middle = projected(model, parameters, mesh[[13, 14]]).mean(0)
        column, row = middle[:2].long().tolist()
        image = renderer_of(model, "depth")(parameters)[0, 0].float()
        return image[row - 3 : row + 4, column - 3 : column + 4].mean() - image[row + 30, column]

    assert within_lips(posed(model, jawOpen=1.0)) < within_lips(posed(model)) - 8


def test_landmarks_lie_on_their_lines(model: FaceModel) -> None:
    """Every landmark has the colour of a line, and everything that is drawn lies near a line."""
    parameters = make_parameters(model, 1, seed=3)
    parameters = parameters.replace(translation=torch.tensor([[0.0, 0.0, 1200.0]]))
    image = renderer_of(model, "landmarks")(parameters)[0]
    places = projected(model, parameters, model.landmarks_of(make_actor(model), parameters)[0])[:, :2]
    colours = torch.tensor([colour for colour, _ in PARTS]).float()
    drawn = image.any(0).nonzero() + 0.5  # row, column
    for _, line in PARTS:
        for column, row in places[list(line)].long().tolist():
            near = image[:, row - 1 : row + 2, column - 1 : column + 2].flatten(1).T.float()
            assert torch.cdist(near, colours).amin() < 60
    ends = [(places[a], places[b]) for _, line in PARTS for a, b in pairwise(line)]
    steps = torch.linspace(0, 1, 20)[:, None]
    lines = torch.cat([a + steps * (b - a) for a, b in ends])
    assert (torch.cdist(drawn.flip(1), lines).amin(1) > 3).float().mean() < 0.05  # parts of the irises are further away


def test_irises_follow_the_gaze_and_vanish_behind_shut_lids(model: FaceModel) -> None:
    """The middle of an iris lies between the two places where its outline crosses the row of the eyeball's centre."""
    renderer, ahead = renderer_of(model, "landmarks"), posed(model)
    rows = projected(model, ahead, model.eyeballs)[:, 1].long().tolist()

    def middle(side: int, yaw: float) -> float:
        image = renderer(ahead.replace(gaze=torch.tensor([[yaw, 0.0, yaw, 0.0]])))[0]
        row = image[:, rows[side]].float()
        of_iris = (row - torch.tensor(IRISES[side])[:, None]).norm(dim=0) < 60
        columns = of_iris.nonzero().float()
        return float(columns.min() + columns.max()) / 2

    # 12 mm of eyeball, 10.4 of them to the middle of the outline, seen from 1200 mm with a focal length of 1400
    expected = 2 * math.sin(0.25) * 10.4 * 1400 / 1200
    for side in range(2):
        assert middle(side, 0.25) - middle(side, -0.25) == pytest.approx(expected, abs=1.5)
    shut = renderer(posed(model, eyeBlinkLeft=1.0, eyeBlinkRight=1.0))[0]
    for colour in IRISES:
        assert (shut.float() - torch.tensor(colour)[:, None, None]).norm(dim=0).amin() > 30


def test_lines_of_the_lips_part_when_the_jaw_opens(model: FaceModel) -> None:
    inner = next(colour for colour, line in PARTS if set(line) == {*UPPER_LIP_RIM, *LOWER_LIP_RIM})

    def height(parameters: FaceParameters) -> int:
        image = renderer_of(model, "landmarks")(parameters)[0]
        rows = ((image.float() - torch.tensor(inner)[:, None, None]).norm(dim=0) < 60).any(1).nonzero()
        return int(rows.max() - rows.min())

    assert height(posed(model, jawOpen=1.0)) > height(posed(model)) + 10


def test_a_face_that_another_identity_moves_looks_like_one_that_moved(model: FaceModel) -> None:
    """The first identity of the model is a shift of the whole head, lids and irises too, by 8 mm in x and 5 mm in y."""
    shift = torch.tensor([8.0, 5.0, 0.0])
    basis = torch.cat([shift.expand(1, len(model.vertices), 3), model.identity_basis[1:]])
    renderer = renderer_of(replace(model, identity_basis=basis), *ALL)
    here = posed(model)
    other, moved = here.identity.clone(), here.translation + shift * torch.tensor([1.0, -1.0, 1.0])  # the camera's y points down
    other[:, 0] += 1
    shifted, expected = renderer(here.replace(identity=other)), renderer(here.replace(translation=moved))
    assert ((shifted.int() - expected.int()).abs() > 2).float().mean() < 1e-4
    assert ((renderer(here).int() - expected.int()).abs() > 2).float().mean() > 1e-2


@pytest.mark.gpu
def test_a_gpu_draws_the_same(model: FaceModel) -> None:
    renderer, parameters = renderer_of(model, *ALL, size=128), make_parameters(model, 9)
    here, there = renderer(parameters), renderer.to("cuda")(parameters.to("cuda")).cpu()
    assert torch.equal(here[:, 9:12], there[:, 9:12])  # landmarks
    assert (here.int() - there.int()).abs().max() <= 1 or (here != there).float().mean() < 1e-3


def test_depth_uses_its_range_and_never_all_of_it(model: FaceModel) -> None:
    depth = renderer_of(model, "depth")(make_parameters(model, 20))[:, 0]
    seen = depth[depth > 0].float()[::97]
    assert torch.quantile(seen, 0.98) - torch.quantile(seen, 0.02) > 60
    assert depth.max() < 255
