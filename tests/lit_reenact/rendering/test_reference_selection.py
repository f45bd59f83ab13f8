"""Choices among a few frames whose features are so simple that the right ones can be named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import head_to_camera, project
from lit_reenact.core.schema import Camera
from lit_reenact.face import builtin_model
from lit_reenact.face.topology import MOUTH, RIMS
from lit_reenact.rendering.reference_selection import (
    IRIS_WEIGHT,
    OPENING_WEIGHTS,
    choose_key_frames,
    key_frame_features,
    nearest_frames,
    outside_gap,
    pose_and_expression_features,
)
from tests.factories import make_actor, make_parameters

CAMERA = Camera(focal=1100.0, width=256, height=256)  # a pixel is a millimetre at the distance of the head


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_a_head_that_moves_sideways_is_as_far_away_as_it_moved() -> None:
    model = builtin_model()
    still = make_parameters(model, 1).replace(rotation=torch.zeros(1, 3), translation=torch.tensor([[0.0, 0.0, 1e5]]))
    moved = still.replace(translation=still.translation + torch.tensor([3000.0, 4000.0, 0.0]), illumination=torch.ones(1, 27))
    camera = Camera(focal=1e5, width=256, height=256)  # so far away that all points move alike
    one, other = (pose_and_expression_features(model, make_actor(model), camera, p) for p in (still, moved))
    assert float((one - other).norm()) == pytest.approx(5000, rel=1e-3)


def test_irises_count_by_their_weight() -> None:
    model = builtin_model()
    actor = make_actor(model)
    ahead = make_parameters(model, 1).replace(rotation=torch.zeros(1, 3), gaze=torch.zeros(1, 4))
    aside = ahead.replace(gaze=torch.tensor([[0.3, 0.0, 0.0, 0.0]]))  # the left eye alone
    irises = torch.stack([actor.eyeballs[0] + model.eye_radius * torch.tensor(d) for d in ((0, 0, 1), (0.29552, 0, 0.95534))])
    seen = project(head_to_camera(irises, ahead.rotation, ahead.translation), CAMERA)[0, :, :2]
    expected = float((seen[0] - seen[1]).norm()) * (IRIS_WEIGHT / (468 + 2 * IRIS_WEIGHT)) ** 0.5
    one, other = (pose_and_expression_features(model, actor, CAMERA, p) for p in (ahead, aside))
    assert float((one - other).norm()) == pytest.approx(expected, rel=1e-3)


def test_an_open_mouth_adds_its_gap_in_pixels_to_the_features_of_key_frames() -> None:
    model = builtin_model()
    actor = make_actor(model)
    closed = make_parameters(model, 1).replace(expression=torch.zeros(1, len(model.expression_names)))
    jaw = torch.zeros_like(closed.expression)
    jaw[0, model.expression_names.index("jawOpen")] = 1
    opened = closed.replace(expression=jaw, translation=torch.tensor([[0.0, 0.0, 550.0]]))  # half as far away: 2 px a mm
    upper, lower = RIMS[MOUTH]
    landmarks = model.landmarks_of(actor, opened)[0]
    gap = sum(float(landmarks[a, 1] - landmarks[b, 1]) for a, b in zip(upper[1:-1], lower[1:-1], strict=True)) / len(upper[1:-1])
    features = key_frame_features(model, actor, CAMERA, opened)
    assert gap > 10
    assert float(features[0, -1]) == pytest.approx(2 * gap * OPENING_WEIGHTS[2], rel=1e-4)
    assert torch.equal(features[:, :-3], pose_and_expression_features(model, actor, CAMERA, opened))


def test_key_frames_are_the_farthest_points_from_the_mean_frame_on() -> None:
    # Mean (2.75, 0): (3, 0) is nearest to it. Farthest from (3, 0): (9, 0), 6 away. Nearest chosen one of (0, 4): (3, 0), 5 away.
    features = torch.tensor([[0.0, 4], [0, 0], [3, 0], [9, 0], [4, 0], [0.5, -4]])
    candidates = torch.tensor([10, 11, 20, 21, 30, 31])
    assert choose_key_frames(features, candidates, 4).tolist() == [20, 21, 10, 31]
    assert choose_key_frames(features, candidates, 2).tolist() == [20, 21]


def test_one_blink_among_a_thousand_frames_becomes_a_key_frame_and_no_frame_twice() -> None:
    features = torch.zeros(1000, 3)
    features[:, 0] = torch.linspace(0, 1, 1000)  # a head that moves by a pixel
    features[637, 1] = 6.0  # a blink
    chosen = choose_key_frames(features, torch.arange(1000), 8)
    assert int(chosen[1]) == 637
    assert len(set(chosen.tolist())) == 8
    repeated = torch.arange(3.0).repeat(5)[:, None]
    assert sorted((choose_key_frames(repeated, torch.arange(15), 3) % 3).tolist()) == [0, 1, 2]
    with pytest.raises(ReenactError, match="only 3 of 15 training frames differ"):
        choose_key_frames(repeated, torch.arange(15), 4)


def test_a_reference_is_kept_until_another_is_nearer_by_the_margin() -> None:
    features, numbers = column(0, 10), torch.tensor([100, 200])
    wanted = column(1, 4.9, 5.4, 5.9, 6.1, 5.4, 4.1, 3.9, 0)
    assert nearest_frames(wanted, features, numbers).tolist() == [100, 100, 200, 200, 200, 200, 100, 100, 100]
    # With a margin of 2 the change waits until the distances differ by it: at 6 on the way there and at 4 on the way back.
    kept = [100, 100, 100, 100, 200, 200, 200, 100, 100]
    assert nearest_frames(wanted, features, numbers, margin=2.0).tolist() == kept
    long = wanted.repeat(60, 1)  # more frames than are compared at once
    assert nearest_frames(long, features, numbers, margin=2.0).tolist() == kept * 60


def test_frames_about_the_source_are_no_references() -> None:
    candidates = torch.tensor([0, 5, 6, 7, 20])
    allowed = outside_gap(candidates, torch.tensor([6, 18]), gap=1)
    assert allowed.tolist() == [[True, False, False, False, True], [True] * 5]
    allowed = outside_gap(candidates, torch.tensor([6, 18]), gap=2)
    assert allowed.tolist() == [[True, False, False, False, True], [True, True, True, True, False]]
    features = candidates[:, None].float()
    assert nearest_frames(column(6, 18), features, candidates, allowed).tolist() == [0, 7]
    # However large the margin, a frame that is not allowed is not kept.
    allowed = outside_gap(candidates, torch.tensor([3, 18, 8]), gap=2)
    assert nearest_frames(column(6, 18, 8), features, candidates, allowed, margin=50.0).tolist() == [6, 6, 5]
    with pytest.raises(ReenactError, match="smaller gap"):
        nearest_frames(column(6), features, candidates, outside_gap(candidates, torch.tensor([6]), 14))
