"""Conditioning images of the built-in face against places and colours computed without the renderer."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import LOWER_LIP_RIM, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP_RIM, mirror_points
from lit_reenact.core.geometry import axis_angle_to_matrix, euler_to_matrix, head_to_camera, matrix_to_axis_angle, project
from lit_reenact.core.schema import EMPTY, EYES, FACE, MOUTH, Actor, Camera, FaceParameters
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.face.topology import EYE_LEFT, HEAD, SKIN
from lit_reenact.face.topology import MOUTH as MOUTH_FILL
from lit_reenact.rendering.conditioning import ConditioningRenderer, conditioning_to_rgb
from lit_reenact.rendering.eyeballs import IRIS
from lit_reenact.rendering.rasterizer import rasterize

CAMERA = Camera(focal=1400.0, width=256, height=256)
GREY = 0.5


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


@pytest.fixture(scope="module")
def actor(model: FaceModel) -> Actor:
    reflectance = torch.full((3, 32, 32), GREY)
    return Actor(
        model.vertices,
        torch.zeros(len(model.identity_scale)),
        reflectance,
        model.eyeballs,
        torch.zeros(4),
        torch.zeros(0, 468, 3),
    )


@pytest.fixture(scope="module")
def renderer(model: FaceModel, actor: Actor) -> ConditioningRenderer:
    return ConditioningRenderer(model, actor, CAMERA)


def at_rest(model: FaceModel, frames: int = 1) -> FaceParameters:
    """Return parameters of the face in front of the camera, eyes ahead, in even white light."""
    illumination = torch.zeros(frames, 9, 3)
    illumination[:, 0] = math.sqrt(4 * math.pi)
    return FaceParameters(
        rotation=torch.zeros(frames, 3),
        translation=torch.tensor([0.0, 0.0, 1200.0]).repeat(frames, 1),
        identity=torch.zeros(frames, len(model.identity_scale)),
        expression=torch.zeros(frames, len(model.expression_names)),
        illumination=illumination.flatten(1),
        gaze=torch.zeros(frames, 4),
    )


def moving(model: FaceModel, frames: int = 11) -> FaceParameters:
    """Return frames that differ in every channel."""
    random = torch.Generator().manual_seed(0)
    parameters = at_rest(model, frames)
    low, high = model.expression_bounds.unbind(1)
    return parameters.replace(
        rotation=0.3 * torch.randn(frames, 3, generator=random),
        expression=low + torch.rand(frames, len(low), generator=random) * 0.3 * (high - low),
        illumination=parameters.illumination + 0.3 * torch.randn(frames, 27, generator=random),
        gaze=0.2 * torch.randn(frames, 4, generator=random),
    )


def turned(yaw: float, pitch: float, roll: float) -> Tensor:
    """Return the rotation (1, 3), axis-angle, of angles in degrees."""
    return matrix_to_axis_angle(euler_to_matrix(torch.deg2rad(torch.tensor([[yaw, pitch, roll]]))))


def expressing(model: FaceModel, **coefficients: float) -> FaceParameters:
    parameters = at_rest(model)
    for name, value in coefficients.items():
        parameters.expression[:, model.expression_names.index(name)] = value
    return parameters


def see(points: Tensor, parameters: FaceParameters) -> Tensor:
    """Project head points (N, 3) of one frame to pixels (N, 2), straight from the conventions of the schema."""
    x, y, z = axis_angle_to_matrix(parameters.rotation[0]).double() @ points.double().T
    move_x, move_y, move_z = parameters.translation[0]
    depth = move_z - z
    return torch.stack([128 + 1400 * (x + move_x) / depth, 128 + 1400 * (move_y - y) / depth], -1)


def iris_centroid(eyes: Tensor, near: Tensor, radius: float = 12.0) -> Tensor:
    """Return the mean place (2,), x and y, of the iris colour in an eye image (3, H, W) within ``radius`` pixels of a point."""
    y, x = torch.meshgrid(torch.arange(256) + 0.5, torch.arange(256) + 0.5, indexing="ij")
    close = (x - near[0]).square() + (y - near[1]).square() < radius**2
    weight = (eyes[2].double() - eyes[0].double()) * close  # blue without red: iris
    return torch.stack([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def covered(model: FaceModel, parameters: FaceParameters) -> Tensor:
    """Return the pixels of T frames that the mesh of the mean face covers: bool (T, H, W)."""
    mesh = model.vertices + torch.tensordot(parameters.expression, model.expression_basis, dims=1)
    points = project(head_to_camera(mesh, parameters.rotation, parameters.translation), CAMERA)
    return rasterize(points, model.faces, CAMERA.height, CAMERA.width).triangle >= 0


def parted(model: FaceModel, actor: Actor, upper: tuple[int, ...], lower: tuple[int, ...], by: float) -> Actor:
    """Return a person whose rims lie ``by`` mm further apart."""
    neutral = actor.neutral.clone()
    neutral[list(upper[1:-1]), 1] += by / 2
    neutral[list(lower[1:-1]), 1] -= by / 2
    return replace(actor, neutral=neutral)


def within(mask: Tensor) -> Tensor:
    """Return the pixels of a mask (..., H, W) whose neighbours are all in it: one on its border may show two things at once."""
    return torch.nn.functional.max_pool2d((~mask).float()[None], 3, stride=1, padding=1)[0] == 0


def test_shape_type_and_background(model: FaceModel, renderer: ConditioningRenderer) -> None:
    images = renderer(moving(model, 3))
    assert images.shape == (3, 9, 256, 256)
    assert images.dtype == torch.uint8
    head = covered(model, moving(model, 3))
    assert 0.05 < head.double().mean() < 0.9
    assert (images.movedim(1, -1)[within(~head)] == 0).all()


def test_a_batch_equals_its_frames_one_by_one(model: FaceModel, renderer: ConditioningRenderer) -> None:
    parameters = moving(model)
    together, regions = renderer(parameters), renderer.regions(parameters)
    for frame in range(len(parameters)):
        one = parameters[frame : frame + 1]
        difference = (together[frame].int() - renderer(one)[0].int()).abs()
        assert (difference > 1).double().mean() < 1e-5
        assert torch.equal(renderer.regions(one)[0], regions[frame])


def test_no_frames(model: FaceModel, renderer: ConditioningRenderer) -> None:
    assert renderer(at_rest(model, 0)).shape == (0, 9, 256, 256)
    assert renderer.regions(at_rest(model, 0)).shape == (0, 256, 256)


def test_a_face_behind_the_camera_leaves_the_images_empty(model: FaceModel, renderer: ConditioningRenderer) -> None:
    assert (renderer(at_rest(model).replace(translation=torch.tensor([[0.0, 0.0, -1200.0]]))) == 0).all()


def test_even_white_light_shows_the_reflectance(model: FaceModel, renderer: ConditioningRenderer) -> None:
    parameters = at_rest(model)
    regions, diffuse = renderer.regions(parameters)[0], renderer(parameters)[0, :3]
    head = covered(model, parameters)[0]
    for skin in (regions == FACE, head & (regions == EMPTY)):  # the face, and the head beyond it
        assert skin.sum() > 5000
        assert ((diffuse[:, within(skin[None])[0]].int() - round(255 * GREY)).abs() <= 1).all()
    assert (diffuse[:, within(~head[None])[0]] == 0).all()


def test_light_from_the_right_stays_right_when_the_head_turns(model: FaceModel, renderer: ConditioningRenderer) -> None:
    parameters = at_rest(model)
    illumination = parameters.illumination.view(1, 9, 3).clone()
    illumination[:, 3] = 1.5  # the harmonic that grows with x
    for roll in (0.0, 90.0, 180.0):
        lit = parameters.replace(illumination=illumination.flatten(1), rotation=turned(0, 0, roll))
        diffuse = renderer(lit)[0, 0].double()
        columns = diffuse.sum(0) / (diffuse > 0).sum(0).clamp_min(1)  # mean brightness of the skin in each column
        seen = columns[columns > 0]
        assert seen[-len(seen) // 4 :].mean() > 1.2 * seen[: len(seen) // 4].mean()


def test_the_texture_is_looked_up_by_row_v_and_column_u(model: FaceModel, actor: Actor) -> None:
    ramp = (torch.arange(64) + 0.5) / 64
    reflectance = torch.stack([ramp.expand(64, 64), ramp[:, None].expand(64, 64), torch.zeros(64, 64)])  # R = u, G = v
    images = ConditioningRenderer(model, replace(actor, reflectance=reflectance), CAMERA)(at_rest(model))[0]
    centroids = model.vertices[model.faces].mean(1)
    inner = (model.region == SKIN) & (centroids[:, :2].abs() < 40).all(-1) & (centroids[:, 2] > 0)
    expected = model.uv[model.faces].mean(1)[inner]
    column, row = see(centroids[inner], at_rest(model)).floor().long().unbind(-1)
    found = images[:2, row, column].T.double() / 255
    assert ((found - expected).abs().amax(-1) < 0.02).double().mean() > 0.9  # the rest is hidden by the nose, or slivers


def test_correspondence_follows_the_surface(model: FaceModel, renderer: ConditioningRenderer) -> None:
    """A vertex keeps its colour wherever the head moves it."""
    parameters = at_rest(model).replace(rotation=turned(15, -10, 20), translation=torch.tensor([[20.0, -15.0, 1100.0]]))
    images = renderer(parameters)[0]
    landmarks = torch.tensor([4, 151, 9, 50, 280])  # tip of the nose, forehead, cheeks
    column, row = see(model.vertices[landmarks], parameters).floor().long().unbind(-1)
    found = images[3:6, row, column].T.double() / 255
    torch.testing.assert_close(found, model.correspondence[landmarks].double(), atol=0.03, rtol=0)


@pytest.mark.parametrize("gaze", [(0.0, 0.0), (0.3, 0.0), (-0.3, 0.0), (0.2, 0.1)])
@pytest.mark.parametrize("rotation", [(0.0, 0.0, 0.0), (12.0, 5.0, -10.0)])
def test_the_iris_is_where_the_gaze_meets_the_eyeball(
    model: FaceModel, actor: Actor, gaze: tuple[float, float], rotation: tuple[float, float, float]
) -> None:
    """All triangles are eye, so that no lid cuts the disc."""
    open_eyes = replace(model, region=torch.full_like(model.region, EYE_LEFT))
    parameters = at_rest(model).replace(gaze=torch.tensor([[*gaze, *gaze]]), rotation=turned(*rotation))
    eyes = ConditioningRenderer(open_eyes, actor, CAMERA)(parameters)[0, 6:]
    yaw, pitch = gaze
    direction = torch.tensor([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    # the plane of the iris's rim lies sqrt(12^2 - 5.9^2) mm before the eyeball's centre; its centre is the disc's centroid
    centre = model.eyeballs[0] + math.sqrt(12.0**2 - 5.9**2) * direction
    expected = see(centre[None], parameters)[0]
    found = iris_centroid(eyes, expected)
    torch.testing.assert_close(found, expected, atol=0.15, rtol=0)
    area = float(eyes[2].double().sum() - eyes[0].double().sum()) / 255  # of the one eye that all triangles belong to
    tilt = float((axis_angle_to_matrix(parameters.rotation[0]) @ direction)[2])
    assert area == pytest.approx(math.pi * (5.9 * 1400 / 1190) ** 2 * tilt, rel=0.05)


def test_each_eye_has_its_own_gaze(model: FaceModel, renderer: ConditioningRenderer) -> None:
    """Gaze that turns to the subject's left moves an iris to the image's right; the left eye is the right one in the image."""
    rest, left, right = (
        renderer(at_rest(model).replace(gaze=torch.tensor([g])))[0, 6:] for g in ([0.0] * 4, [0.25, 0, 0, 0], [0, 0, 0.25, 0])
    )
    places = see(model.eyeballs, at_rest(model))
    assert places[0, 0] > places[1, 0]
    for eye, moved, still in ((0, left, right), (1, right, left)):
        before = iris_centroid(rest, places[eye])
        assert iris_centroid(moved, places[eye])[0] > before[0] + 1.5
        torch.testing.assert_close(iris_centroid(still, places[eye]), before)


def test_a_small_movement_of_the_eye_shows_in_a_small_image(model: FaceModel, actor: Actor) -> None:
    small = ConditioningRenderer(model, actor, CAMERA, size=128)
    rest, moved = (small(at_rest(model).replace(gaze=torch.tensor([[yaw, 0, yaw, 0]]))) for yaw in (0.0, math.radians(2)))
    assert not torch.equal(rest, moved)


def test_eye_colours_and_region(model: FaceModel, renderer: ConditioningRenderer) -> None:
    parameters = at_rest(model)
    images, regions = renderer(parameters)[0], renderer.regions(parameters)[0]
    eyes, opening = images[6:], (images[6:] > 0).any(0)
    assert (regions[opening] == EYES).all()
    inside = within(opening[None])[0]
    assert (eyes[2, inside] == 255).all()  # white and the iris share full blue
    assert (images[:6, inside] == 0).all()
    colours = {tuple(c) for c in eyes[:, inside].T.tolist()}
    assert (255, 255, 255) in colours
    assert tuple(int(255 * c) for c in IRIS) in colours


@pytest.mark.parametrize("by", [-2.0, 0.0, 2.0])
def test_a_blink_leaves_nothing_of_the_eyes(model: FaceModel, actor: Actor, by: float) -> None:
    """Also for eyes that are narrower or wider by 2 mm than those that the blink was made for."""
    for upper, lower in ((RIGHT_UPPER_LID, RIGHT_LOWER_LID), (mirror_points(RIGHT_UPPER_LID), mirror_points(RIGHT_LOWER_LID))):
        actor = parted(model, actor, upper, lower, by)
    renderer = ConditioningRenderer(model, actor, CAMERA)
    opened, closed = (renderer(p)[0] for p in (at_rest(model), expressing(model, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)))
    assert opened[6:].any(0).sum() > 300
    assert not closed[6:].any()
    lids = (opened[6:] > 0).any(0)
    assert ((closed[:3, lids].int() - round(255 * GREY)).abs() <= 1).all()  # skin, where the eyes were


def test_an_eye_that_closes_closes_smoothly(model: FaceModel, renderer: ConditioningRenderer) -> None:
    blinks = [
        renderer(expressing(model, eyeBlinkLeft=b, eyeBlinkRight=b))[0, 6:].double().sum() for b in torch.linspace(0, 1, 21)
    ]
    steps = torch.stack(blinks).diff()
    assert (steps <= 0).all()
    assert steps.min() > -0.15 * blinks[0]  # no jump


def test_a_pixel_shows_how_wide_a_narrow_gap_is(model: FaceModel, actor: Actor) -> None:
    """Lips that part by less than two pixels of a small image change it the more, the wider they part."""
    small = ConditioningRenderer(model, actor, CAMERA, size=128)
    shown = torch.stack([small(expressing(model, jawOpen=jaw))[0, :3, 95:120, 56:72] for jaw in (0.0, 0.04, 0.06, 0.08, 0.1)])
    change = (shown.float() - round(255 * GREY)).abs().mean((1, 2, 3))
    assert change[0] < 0.1
    assert all(wider > narrower for narrower, wider in pairwise(change.tolist()))


@pytest.mark.parametrize("by", [-0.3, 0.0, 0.5])
def test_a_closed_mouth_leaves_no_line(model: FaceModel, actor: Actor, by: float) -> None:
    """Lips that tracking leaves a little apart, or presses through each other, are drawn as skin."""
    renderer = ConditioningRenderer(model, parted(model, actor, UPPER_LIP_RIM, LOWER_LIP_RIM, by), CAMERA)
    for rotation in (turned(0, 0, 0), turned(35, 10, 0), turned(-35, -20, 0)):
        parameters = at_rest(model).replace(rotation=rotation)
        diffuse = renderer(parameters)[0, :3]
        lips = within(renderer.regions(parameters) == MOUTH)[0]
        assert lips.sum() > 300
        assert ((diffuse[:, lips].int() - round(255 * GREY)).abs() <= 1).all()


def test_an_open_jaw_shows_the_mouth(model: FaceModel, actor: Actor, renderer: ConditioningRenderer) -> None:
    """Everything that is no skin lies between the lips; the teeth part by as much as the chin has gone down."""
    parameters = expressing(model, jawOpen=0.8, mouthUpperUpLeft=0.5, mouthUpperUpRight=0.5, mouthLowerDownLeft=0.5,
                            mouthLowerDownRight=0.5)  # fmt: skip
    diffuse, regions = renderer(parameters)[0, :3], renderer.regions(parameters)[0]
    opened = (diffuse.int() - round(255 * GREY)).abs().amax(0) > 8
    mouth = opened & (regions == MOUTH)
    assert mouth.sum() > 300
    assert (mouth == (opened & (regions != EYES) & within(covered(model, parameters))[0])).all()
    column = diffuse[:, :, 128].float().mean(0)
    bright, dark = (column > 1.1 * 255 * GREY).nonzero().flatten(), ((column < 60) & mouth[:, 128]).nonzero().flatten()
    assert bright[0] < dark[0]  # upper teeth, cavity, lower teeth
    assert dark[-1] < bright[-1]
    edge_up, edge_down = float(bright[bright < dark[0]][-1]), float(bright[bright > dark[-1]][0])
    jaw = (
        0.8 * model.expression_basis[model.expression_names.index("jawOpen")][152]
    )  # at the chin; the teeth are nearer the hinge
    assert edge_down - edge_up == pytest.approx(-float(jaw[1]) * 1400 / 1180, rel=0.4)
    toothless = replace(model, inner_faces=model.inner_faces[:0], inner_albedo=model.inner_albedo[:0])
    without = ConditioningRenderer(toothless, actor, CAMERA)(parameters)[0]
    changed = (renderer(parameters)[0] != without).any(0)
    assert (without[:3, within(mouth[None])[0]] == 0).float().mean() > 0.9
    assert not (changed & ~mouth & (regions != MOUTH)).any()  # nothing shows through the skin


@pytest.mark.parametrize(
    "name", ["mouthPucker", "mouthRollUpper", "mouthRollLower", "mouthSmileLeft", "cheekPuff", "mouthDimpleLeft"]
)
def test_teeth_never_show_through_the_lips(model: FaceModel, actor: Actor, renderer: ConditioningRenderer, name: str) -> None:
    fill = model.region == MOUTH_FILL
    sealed = replace(model, region=torch.where(fill, SKIN, model.region))
    for rotation in (turned(0, 0, 0), turned(40, 0, 0), turned(-30, 25, 0)):
        parameters = expressing(model, **{name: 1.2}).replace(rotation=rotation)
        drawn, skin = renderer(parameters)[0], ConditioningRenderer(sealed, actor, CAMERA)(parameters)[0]
        mesh = model.vertices + torch.tensordot(parameters.expression, model.expression_basis, dims=1)
        points = project(head_to_camera(mesh, parameters.rotation, parameters.translation), CAMERA)
        triangle = rasterize(points, model.faces, 256, 256).triangle[0]
        away = within(~(fill[triangle] & (triangle >= 0))[None])[0]
        assert ((drawn.int() - skin.int()).abs().amax(0)[away] <= 1).all()


def test_regions_are_those_of_the_face_without_a_head(model: FaceModel, actor: Actor, renderer: ConditioningRenderer) -> None:
    face = model.region != HEAD
    bare = ConditioningRenderer(replace(model, faces=model.faces[face], region=model.region[face]), actor, CAMERA)
    parameters = moving(model)
    assert torch.equal(renderer.regions(parameters), bare.regions(parameters))


def test_lips_belong_to_the_mouth_and_lids_to_the_eyes(model: FaceModel, renderer: ConditioningRenderer) -> None:
    """The labels are read where the mesh projects named points of the face."""
    parameters = at_rest(model)
    regions = renderer.regions(parameters)[0]
    expected = {
        MOUTH: (0, 17, 61, 291),
        EYES: (27, 257, 23, 253),
        FACE: (4, 9, 50, 280, 152 - 1),
    }  # lips; lids; nose, brow, cheeks
    for label, landmarks in expected.items():
        column, row = see(model.vertices[list(landmarks)], parameters).floor().long().unbind(-1)
        assert (regions[row, column] == label).all(), label


def test_the_surface_has_no_holes(model: FaceModel, renderer: ConditioningRenderer) -> None:
    """Seen from the front the face is one patch without gaps: each row and column of it is a single run."""
    face = (renderer.regions(at_rest(model))[0] != EMPTY).int()
    for lines in (face, face.T):
        assert (lines.diff(dim=1) == 1).sum(1).max() == 1


def test_the_size_is_the_cameras_or_the_one_asked_for(model: FaceModel, actor: Actor) -> None:
    parameters = at_rest(model)
    large = ConditioningRenderer(model, actor, CAMERA)(parameters)
    small = ConditioningRenderer(model, actor, CAMERA, size=128)(parameters)
    assert small.shape[-2:] == (128, 128)
    halved = torch.nn.functional.avg_pool2d(large.float(), 2)
    assert (halved - small.float()).abs().mean() < 2
    wide = ConditioningRenderer(model, actor, Camera(1400.0, 200, 120))(parameters)
    assert wide.shape == (1, 9, 120, 200)
    with pytest.raises(ReenactError, match="200x120"):
        ConditioningRenderer(model, actor, Camera(1400.0, 200, 120), size=64)


def test_people_see_the_three_images_side_by_side() -> None:
    images = torch.randint(0, 256, (2, 9, 4, 5), dtype=torch.uint8)
    picture = conditioning_to_rgb(images)
    assert picture.shape == (2, 4, 15, 3)
    assert torch.equal(picture[1, 2, 5 + 3], images[1, 3:6, 2, 3])
    assert torch.equal(picture[0, 1, 10], images[0, 6:, 1, 0])


@pytest.mark.gpu
def test_the_gpu_draws_what_the_cpu_draws(model: FaceModel, renderer: ConditioningRenderer) -> None:
    parameters = moving(model)
    cpu, gpu = renderer(parameters), renderer.to("cuda")(parameters.to("cuda"))
    assert gpu.is_cuda
    assert ((cpu.int() - gpu.cpu().int()).abs() > 2).double().mean() < 1e-3


def test_calibrated_gaze_is_drawn_where_the_eyes_of_this_person_are(model: FaceModel, actor: Actor) -> None:
    """A person whose eyes were measured at -0.2 when looking ahead has the offset 0.2; gaze 0 shows their eyes at -0.2."""
    offset = torch.tensor([0.2, 0.0, 0.2, 0.0])
    calibrated = ConditioningRenderer(model, replace(actor, gaze_offset=offset), CAMERA)
    plain = ConditioningRenderer(model, actor, CAMERA)
    rest = at_rest(model)
    assert torch.equal(calibrated(rest.replace(gaze=torch.zeros(1, 4))), plain(rest.replace(gaze=-offset[None])))
    assert not torch.equal(calibrated(rest), plain(rest))
