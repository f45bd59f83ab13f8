"""Maps to reference frames against projections by hand, heads whose hidden side is known, and the warp of whole frames."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import axis_angle_to_matrix, flip, head_to_camera, project, warp_by_flow
from lit_reenact.core.schema import Actor, Camera, FaceParameters, ReferenceMaps
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.face.model import vertex_normals
from lit_reenact.rendering import backend
from lit_reenact.rendering.mesh_warp import MeshWarp
from lit_reenact.rendering.reference_maps import ReferenceWarp, feather
from tests.factories import make_actor, make_parameters

SIZE = 64
CAMERA = Camera(focal=4.5 * 256, width=256, height=256)
NOSE, FOREHEAD, RIGHT_CHEEK, LEFT_CHEEK = 1, 151, 50, 280
"""FaceMesh numbers of points on the skin."""


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


@pytest.fixture(scope="module")
def actor(model: FaceModel) -> Actor:
    return make_actor(model)


def face(model: FaceModel, *, yaw: float = 0.0, place: tuple[float, float, float] = (0.0, 0.0, 1100.0)) -> FaceParameters:
    """Return a neutral face with a yaw in degrees, to the subject's left, at a place in mm in camera axes."""
    still = make_parameters(model, 1)
    rotation = torch.tensor([[0.0, math.radians(yaw), 0.0]])
    return still.replace(rotation=rotation, translation=torch.tensor([place]), expression=torch.zeros_like(still.expression))


def point_at(model: FaceModel, actor: Actor, parameters: FaceParameters, landmark: int) -> Tensor:
    """Return the point of the skin below a landmark in camera axes, (3,) mm."""
    point = model.at_landmarks(model.mesh(actor, parameters)[0])[landmark]
    turned = axis_angle_to_matrix(parameters.rotation[0]) @ point
    return turned * flip(point) + parameters.translation[0]


def seen_at(point: Tensor) -> Tensor:
    """Return the place in the image of a point in camera axes, (2,), fraction of the image's side from the top left corner."""
    return point[:2] / point[2] * CAMERA.focal / CAMERA.width + 0.5


def move_onto_pixel(model: FaceModel, actor: Actor, head: FaceParameters, landmark: int) -> tuple[FaceParameters, int, int]:
    """Shift a head by less than a map pixel so that a landmark is seen at a pixel's centre; also return its row and column."""
    point = point_at(model, actor, head, landmark)
    column, row = (seen_at(point) * SIZE).floor().long().tolist()
    shift = (torch.tensor([column + 0.5, row + 0.5]) / SIZE - seen_at(point)) * point[2] * CAMERA.width / CAMERA.focal
    return head.replace(translation=head.translation + torch.cat([shift, torch.zeros(1)])), row, column


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("landmark", [NOSE, FOREHEAD, RIGHT_CHEEK, LEFT_CHEEK])
def test_a_point_of_the_skin_comes_from_where_the_references_show_it(model: FaceModel, actor: Actor, landmark: int) -> None:
    parameters = make_parameters(model, 40)
    references, wanted = parameters[torch.tensor([0, 7, 19])], parameters[25:26]
    wanted, row, column = move_onto_pixel(model, actor, wanted, landmark)
    maps = ReferenceWarp(model, actor, CAMERA, references)(wanted)
    normals = vertex_normals(model.mesh(actor, references), model.faces)
    for k in range(3):
        point = point_at(model, actor, references[k : k + 1], landmark)
        expected = seen_at(point) - seen_at(point_at(model, actor, wanted, landmark))
        assert (maps.flow[0, k, :, row, column] - expected).abs().max() < 1e-4
        rotation = axis_angle_to_matrix(references.rotation[k])
        normal = (rotation @ model.at_landmarks(normals[k])[landmark]) * flip(point)
        assert maps.validity[0, k, 2, row, column] == pytest.approx(float(-normal @ point / point.norm()), abs=0.02)
        assert maps.validity[0, k, 0, row, column] > 0.6  # soft where the nose hides what lies beside it


@pytest.mark.usefixtures("implementation")
def test_a_head_turned_by_60_degrees_shows_one_side(model: FaceModel, actor: Actor) -> None:
    references = FaceParameters.concatenate([face(model, yaw=60), face(model, yaw=-60), face(model)])
    warp = ReferenceWarp(model, actor, CAMERA, references)
    for landmark, expected in ((RIGHT_CHEEK, [1.0, 0.0, 1.0]), (LEFT_CHEEK, [0.0, 1.0, 1.0])):
        wanted, row, column = move_onto_pixel(model, actor, face(model), landmark)
        validity = warp(wanted).validity[0, :, :, row, column]  # (K, 4)
        torch.testing.assert_close(validity[:, 0], torch.tensor(expected), rtol=0, atol=0.05)
        turned_away = expected.index(0.0)
        assert validity[turned_away, 1] > 0.9  # the cheek is a strip that would have to be stretched
        assert validity[turned_away, 2] < 0.3


@pytest.mark.parametrize(("distance", "octaves"), [(2.0, 2.0), (math.sqrt(2), 1.0), (1.0, 0.0), (0.5, -2.0), (0.2, -2.0)])
def test_the_stretch_is_the_logarithm_of_the_area(model: FaceModel, actor: Actor, distance: float, octaves: float) -> None:
    far = Camera(focal=4.5e5, width=256, height=256)  # from so far away that a nearer head is only larger
    wanted, reference = (face(model, place=(0.0, 0.0, 5e5 * times)) for times in (1.0, distance))
    validity = ReferenceWarp(model, actor, far, reference)(wanted).validity[0, 0]
    covered = validity[2] > 0.3  # where the surface is not seen from the side
    assert covered.sum() > 500
    torch.testing.assert_close(validity[1, covered], torch.full_like(validity[1, covered], octaves / 4 + 0.5), rtol=0, atol=0.01)


def test_a_reference_of_the_wanted_frame_itself_is_valid_and_does_not_move(model: FaceModel, actor: Actor) -> None:
    maps = ReferenceWarp(model, actor, CAMERA, face(model))(face(model))
    visibility, stretch, cosine, _ = maps.validity[0, 0]
    covered = cosine > 0
    assert maps.flow.abs().max() < 1e-6
    assert 0.3 < covered.float().mean() < 0.7
    assert float(visibility[cosine > 0.4].mean()) > 0.97
    torch.testing.assert_close(stretch[covered], torch.full_like(stretch[covered], 0.5))
    assert not maps.validity[0, 0, :, 0].any()  # above the head


def with_expression(model: FaceModel, **coefficients: float) -> FaceParameters:
    still = face(model)
    expression = still.expression.clone()
    for name, value in coefficients.items():
        expression[0, model.expression_names.index(name)] = value
    return still.replace(expression=expression)


@pytest.mark.parametrize("coefficient", ["jawOpen", "eyeBlinkLeft"])
def test_a_shut_eye_or_mouth_cannot_show_an_open_one(model: FaceModel, actor: Actor, coefficient: str) -> None:
    """Both ways between a shut and an open frame: only the inside of what opens is unseen, in one of the two."""
    rest, other = face(model), with_expression(model, **{coefficient: 1.0})
    wide, narrow = (other, rest) if coefficient == "jawOpen" else (rest, other)
    opened = ReferenceWarp(model, actor, CAMERA, FaceParameters.concatenate([narrow, wide]))(wide)
    unseen = opened.validity[0, :, 3]
    inside = unseen[0] > 0.99
    assert 8 < inside.sum() < 300
    assert unseen[0, ~inside].max() < 0.01
    assert not unseen[1].any()
    landmarks = project(head_to_camera(model.landmarks_of(actor, wide), wide.rotation, wide.translation), CAMERA.resize(SIZE))
    above, below = (13, 14) if coefficient == "jawOpen" else (386, 374)
    column, row = landmarks[0, [above, below], :2].mean(0).long().tolist()
    assert inside[row, column]
    assert not ReferenceWarp(model, actor, CAMERA, wide)(narrow).validity[0, 0, 3].any()


def test_what_lies_outside_of_the_reference_is_not_seen(model: FaceModel, actor: Actor) -> None:
    half = face(model, place=(-CAMERA.width / 2 / CAMERA.focal * 1100, 0.0, 1100.0))  # its middle is at the left border
    visibility = ReferenceWarp(model, actor, CAMERA, half)(face(model)).validity[0, 0, 0]
    middle = visibility[24:40]
    assert not middle[:, : SIZE // 2 - 3].any()
    assert middle[:, SIZE // 2 + 4 : SIZE // 2 + 12].min() > 0.75


def test_visibility_falls_off_within_two_pixels_and_gaps_of_a_pixel_close() -> None:
    covered = torch.ones(1, 1, 9, 12, dtype=torch.bool)
    covered[..., 8:] = False
    visibility = covered.float().clone()
    visibility[..., 4, 2] = 0
    soft = feather(visibility, covered)
    expected = torch.tensor(
        [1, 1, 1, 1, 1, 1, 0.6, 0.2, 0, 0, 0, 0]
    )  # 4 and 3 of 5 columns are covered: 2 * 0.8 - 1, 2 * 0.6 - 1
    torch.testing.assert_close(soft[0, 0, 0], expected)
    assert float(soft[0, 0, 4, 2]) == pytest.approx(2 * 24 / 25 - 1)


def test_maps_of_the_size_of_a_frame_warp_it_like_the_mesh_warp(model: FaceModel, actor: Actor) -> None:
    parameters = make_parameters(model, 40)
    current, desired = parameters[torch.tensor([3, 3])], parameters[torch.tensor([14, 20])]
    frames = torch.randint(0, 256, (1, 96, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = MeshWarp(model, actor, CAMERA)(frames.expand(2, -1, -1, -1), current, desired)
    flow = ReferenceWarp(model, actor, CAMERA, parameters[3:4], size=96)(desired).flow[:, 0] * 96
    warped = warp_by_flow(frames.permute(0, 3, 1, 2).expand(2, -1, -1, -1).float(), flow).permute(0, 2, 3, 1)
    assert (warped - expected).abs().max() < 0.51  # the rounding to whole levels


def test_a_frame_does_not_depend_on_its_neighbours_nor_a_reference_on_the_others(model: FaceModel, actor: Actor) -> None:
    parameters = make_parameters(model, 80)
    references, wanted = parameters[torch.tensor([5, 60])], parameters[:70]  # more than are drawn at once
    together = ReferenceWarp(model, actor, CAMERA, references)(wanted)
    alone = ReferenceWarp(model, actor, CAMERA, references[1:])(wanted[66:67])
    assert [tensor.shape for tensor in together] == [(70, 2, 2, 64, 64), (70, 2, 4, 64, 64)]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[66, 1], other[0, 0], rtol=0, atol=1e-6)
    nothing = ReferenceWarp(model, actor, CAMERA, references)(wanted[:0])
    assert [tensor.shape for tensor in nothing] == [(0, 2, 2, 64, 64), (0, 2, 4, 64, 64)]


def test_both_implementations_agree(model: FaceModel, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    parameters = make_parameters(model, 12)

    def draw(compiled: bool) -> ReferenceMaps:
        monkeypatch.setattr(backend, "COMPILED", compiled)
        return ReferenceWarp(model, actor, CAMERA, parameters[:3])(parameters[8:])

    for one, other in zip(draw(False), draw(True), strict=True):
        assert (one - other).abs().mean() < 1e-5
        assert ((one - other).abs() > 1e-3).float().mean() < 1e-3  # pixels at the edge of a triangle


def test_a_camera_that_is_not_square_is_refused(model: FaceModel, actor: Actor) -> None:
    with pytest.raises(ReenactError, match="640x480"):
        ReferenceWarp(model, actor, Camera(focal=500.0, width=640, height=480), face(model))
