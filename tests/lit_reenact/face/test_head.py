"""Head beyond the face: joined without a gap, turned outward, moved by jaw and identity alone, as a skull is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lit_reenact.core.facemesh import LOWER_LIP_RIM, UPPER_LIP_RIM
from lit_reenact.core.geometry import euler_to_matrix
from lit_reenact.face import FaceModel, builtin_model, vertex_normals
from lit_reenact.face.head import RINGS, STILL, continuation
from lit_reenact.face.topology import HEAD, SKIN, build_topology
from lit_reenact.face.unwrapping import border
from lit_reenact.rendering.rasterizer import Fragments, rasterize
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.template import fit_identity

FIRST, COLUMNS = 468, 36
LAST = FIRST + COLUMNS * len(RINGS)
"""Vertices of the head: [FIRST, LAST)."""


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def seen(model: FaceModel, faces: Tensor, yaw: float, pitch: float) -> Fragments:
    """Project the mean head, turned by degrees, at a millimetre per pixel."""
    turn = euler_to_matrix(torch.deg2rad(torch.tensor([yaw, pitch, 0.0])))
    x, y, z = (model.vertices @ turn.T).unbind(-1)
    return rasterize(torch.stack([x + 200, 200 - y, 1000 - z], -1)[None], faces, 400, 400)


def field(model: FaceModel, name: str) -> Tensor:
    return model.expression_basis[model.expression_names.index(name)]


def test_joined_to_the_face_without_a_gap(model: FaceModel) -> None:
    edges = Counter((t[k], t[(k + 1) % 3]) for t in model.faces.tolist() for k in range(3))
    assert max(edges.values()) == 1  # at most two triangles at an edge, turned alike
    (outline,) = border(build_topology()[0])
    for a, b in zip(outline.tolist(), outline.roll(-1).tolist(), strict=True):
        assert edges[a, b] == 1
        assert edges[b, a] == 1
    (neck,) = border(model.faces)  # all that is open
    assert len(neck) == COLUMNS
    assert model.vertices[neck, 1].amax() < model.vertices[152, 1] - 40
    corners = model.vertices[model.faces]
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1).norm(dim=-1) / 2
    assert area.min() > 0.5  # mm^2


def test_turned_outward(model: FaceModel) -> None:
    """A closed surface turned outward has a positive volume, and no skin is seen from behind: culling changes nothing."""
    (neck,) = border(model.faces)
    middle = len(model.vertices)
    lid = torch.stack([neck.roll(-1), neck, torch.full_like(neck, middle)], 1)
    points = torch.cat([model.vertices, model.vertices[neck].mean(0, keepdim=True)]).double()
    a, b, c = points[torch.cat([model.faces, lid])].unbind(1)
    litres = float((a * torch.linalg.cross(b, c, dim=-1)).sum() / 6) / 1e6
    assert 3.5 < litres < 5.5
    for yaw in (-40.0, 0.0, 40.0):
        for pitch in (-25.0, 0.0, 25.0):
            culled = seen(model, model.faces, yaw, pitch)
            turn = euler_to_matrix(torch.deg2rad(torch.tensor([yaw, pitch, 0.0])))
            x, y, z = (model.vertices @ turn.T).unbind(-1)
            points = torch.stack([x + 200, 200 - y, 1000 - z], -1)[None]
            both = rasterize(points, model.faces, 400, 400, cull_backfaces=False)
            above = torch.arange(400)[:, None] < float(points[0, neck, 1].amin())  # one may look into the neck from below
            assert ((culled.triangle != both.triangle) & above).sum() <= 2, (yaw, pitch)  # of 50,000; on the silhouette


def test_no_hole_in_any_usual_pose(model: FaceModel) -> None:
    """All empty parts in the picture of a head are connected with the picture's edge."""
    for yaw in (-40.0, -20.0, 0.0, 20.0, 40.0):
        for pitch in (-25.0, 0.0, 25.0):
            empty = seen(model, model.faces, yaw, pitch).triangle[0] < 0
            outside = empty.clone()
            outside[1:-1, 1:-1] = False
            for _ in range(800):  # the background grows inward from the picture's edge
                grown = torch.nn.functional.max_pool2d(outside[None].float(), 3, 1, 1)[0].bool() & empty
                if torch.equal(grown, outside):
                    break
                outside = grown
            assert torch.equal(outside, empty), (yaw, pitch)


def test_the_face_is_seen_as_without_it(model: FaceModel) -> None:
    """No part of the head lies in front of the face, however it turns; the far cheek may hide behind the face itself."""
    face = build_topology()[0]
    for yaw in (-40.0, -15.0, 0.0, 30.0):
        for pitch in (-25.0, 0.0, 25.0):
            alone, whole = (seen(model, faces, yaw, pitch).triangle for faces in (face, model.faces))
            assert torch.equal(whole[alone >= 0], alone[alone >= 0]), (yaw, pitch)


def test_size_of_a_head(model: FaceModel) -> None:
    head = model.vertices[FIRST:LAST]
    assert 185 < model.vertices[:, 2].amax() - head[:, 2].amin() < 235  # nose to the back of the head
    skull = head[head[:, 1] > 20]
    assert 140 < skull[:, 0].amax() - skull[:, 0].amin() < 170
    assert 205 < head[:, 1].amax() - model.vertices[152, 1] < 235  # crown to chin
    assert 60 < model.vertices[152, 1] - head[:, 1].amin() < 85  # chin to the end of the neck
    ears = head[:, 0].abs() > 86
    assert ears.sum() >= 4
    assert (head[ears, 1].amax() < 15) & (head[ears, 1].amin() > -60)  # between brow and lip
    assert (head[ears, 2] < -70).all()


def test_smooth_where_it_meets_the_face(model: FaceModel) -> None:
    """The crease along the outline is no sharper than those within the face."""
    normals = torch.nn.functional.normalize(
        torch.linalg.cross(*((model.vertices[model.faces[:, k]] - model.vertices[model.faces[:, 0]]) for k in (1, 2)), dim=-1),
        dim=-1,
    )
    sides: dict[frozenset[int], list[int]] = {}
    for number, triangle in enumerate(model.faces.tolist()):
        for k in range(3):
            sides.setdefault(frozenset((triangle[k], triangle[(k + 1) % 3])), []).append(number)
    across = [pair for pair in sides.values() if len(pair) == 2]
    bend = torch.tensor([float((normals[a] * normals[b]).sum().clamp(-1, 1).acos().rad2deg()) for a, b in across])
    regions = [{int(model.region[a]), int(model.region[b])} for a, b in across]
    seam = torch.tensor([r == {SKIN, HEAD} for r in regions])
    within = torch.tensor([r == {SKIN} for r in regions])
    assert seam.sum() == COLUMNS
    assert bend[seam].amax() < 45
    assert bend[seam].mean() < bend[within].mean() + 5
    assert (vertex_normals(model.vertices[None], model.faces)[0, :LAST].norm(dim=-1) > 0.999).all()


def test_the_skull_stays_and_the_throat_follows_the_chin(model: FaceModel) -> None:
    still = slice(FIRST + COLUMNS * STILL, LAST)
    assert model.expression_basis[:, still].abs().max() == 0
    crown = (model.vertices[:, 1] > 60) & (torch.arange(len(model.vertices)) < LAST)
    for name in ("jawOpen", "mouthClose", "jawLeft-jawRight", "mouthFunnel"):
        assert field(model, name)[crown].norm(dim=-1).max() < 0.5, name
    opened, chin = field(model, "jawOpen")[:, 1], 152
    throat = [FIRST + COLUMNS * ring + COLUMNS // 2 for ring in range(STILL)]
    assert opened[chin] < opened[throat[0]] < opened[throat[1]] < 0  # less and less
    assert opened[throat[-1]] > 0.4 * opened[chin]


def test_the_head_follows_the_outline_of_another_face(model: FaceModel) -> None:
    """A face that is a tenth wider or longer, or narrower and shorter, has skull and ears in proportion."""
    mean = model.landmarks(model.vertices)
    for scale in ((1.1, 1.0, 1.0), (1.0, 1.1, 1.0), (0.92, 0.95, 1.0)):
        template = mean * torch.tensor(scale)
        _, neutral = fit_identity(template, model, TrackerSettings().identity_prior)
        torch.testing.assert_close(model.landmarks(neutral), template, atol=1e-2, rtol=0)
        expected = (model.vertices * torch.tensor(scale))[FIRST:LAST]
        moved = (model.vertices[FIRST:LAST] - expected).norm(dim=-1).mean()
        assert (neutral[FIRST:LAST] - expected).norm(dim=-1).mean() < 0.45 * moved, scale


def test_the_inside_of_the_mouth_moves_with_the_jawbone_alone(model: FaceModel) -> None:
    inner = torch.unique(model.inner_faces)
    assert torch.equal(inner, torch.arange(LAST, len(model.vertices)))
    for name in model.expression_names:
        moved = field(model, name)[inner].norm(dim=-1)
        if name in ("jawOpen", "jawForward", "jawLeft-jawRight"):
            assert moved.min() == 0  # the upper teeth
            assert moved.max() > 5, name  # the lower teeth
        else:
            assert moved.max() == 0, name
    lips = model.vertices[[*UPPER_LIP_RIM[3:-3], *LOWER_LIP_RIM[3:-3]], 2].amin()
    assert model.vertices[inner, 2].amax() < lips  # behind the lips


def test_continuation_finds_what_bends_least() -> None:
    """On a flat grid every linear function continues itself; with a reach, values far from all known ones fade."""
    row, column = (v.flatten().double() for v in torch.meshgrid(torch.arange(9), torch.arange(9), indexing="ij"))
    grid = torch.stack([column, row + 0.1 * column, torch.zeros_like(row)], -1)
    corner = torch.tensor([9 * r + c for r in range(8) for c in range(8)])
    faces = torch.cat([torch.stack([corner, corner + 1, corner + 10], 1), torch.stack([corner, corner + 10, corner + 9], 1)])
    known = torch.tensor([k for k in range(81) if not (3 <= row[k] <= 5 and 3 <= column[k] <= 5)])
    linear = 2 + 3 * grid[:, 0] - grid[:, 1]
    found = continuation(grid, faces, known, torch.inf) @ torch.where(torch.isin(torch.arange(81), known), linear, 99.0)
    torch.testing.assert_close(found, linear)
    edge = torch.arange(9)  # one side alone is known
    faded = continuation(grid, faces, edge, 1.0) @ torch.ones(81, dtype=torch.float64)
    assert (faded[9:18] < 0.95).all()
    assert faded[72:].abs().max() < 0.02


def test_hash_tells_models_with_another_mouth_apart(model: FaceModel) -> None:
    assert replace(model, inner_albedo=model.inner_albedo * 0.9).hash != model.hash
