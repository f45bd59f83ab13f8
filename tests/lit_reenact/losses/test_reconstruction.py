"""Losses against values worked by hand and against the definitions they stand for."""

from __future__ import annotations

import pytest
import torch

from lit_reenact.losses import reconstruction


def test_l1_of_black_and_white_is_the_width_of_the_range() -> None:
    assert reconstruction.l1(prediction=torch.ones(1, 3, 4, 4), target=-torch.ones(1, 3, 4, 4)).item() == 2


def _moving() -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth picture that moves two pixels to the right, then jumps; and how it did."""
    wide = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)), 40, mode="bicubic")
    frames = torch.stack([wide[0, :, :32, 4:36], wide[0, :, :32, 2:34], wide[0, :, 8:, :32]]) * 2 - 1
    frames = frames[..., :32, :32]
    flow = torch.zeros(3, 2, 32, 32)
    flow[1, 0] = -2
    flow[[0, 2]] = torch.nan
    return frames, flow


def test_frames_that_move_as_the_real_ones_do_cost_nothing() -> None:
    frames, flow = _moving()
    darker = frames - 0.5
    assert reconstruction.temporal(prediction=frames, target=frames, flow=flow).item() == 0
    assert reconstruction.temporal(prediction=darker, target=frames, flow=flow).item() == pytest.approx(0, abs=1e-6)


def test_a_flicker_costs_its_height() -> None:
    frames, flow = _moving()
    flickering = frames + torch.tensor([0.0, 0.3, 9.0]).view(3, 1, 1, 1)  # the last frame follows none
    assert reconstruction.temporal(prediction=flickering, target=frames, flow=flow).item() == pytest.approx(0.3, abs=0.005)


def test_a_picture_that_stands_still_while_the_real_one_moves_costs() -> None:
    frames, flow = _moving()
    moves, stands = (reconstruction.temporal(prediction=made, target=frames, flow=flow) for made in (frames, frames[[0, 0, 0]]))
    assert stands > 10 * moves


def test_a_blurred_video_is_not_the_steadiest() -> None:
    """Grain that comes and goes in the real frames is a change that a smooth video lacks."""
    frames, flow = _moving()
    grain = torch.rand(frames.shape, generator=torch.Generator().manual_seed(1)) * 0.2 - 0.1
    noisy = frames + grain
    smooth, real = (reconstruction.temporal(prediction=made, target=noisy, flow=flow) for made in (frames, noisy))
    assert real == 0
    assert smooth > 0.03


def test_without_frames_that_follow_each_other_there_is_no_temporal_loss() -> None:
    frames, _ = _moving()
    made = frames.clone().requires_grad_()
    loss = reconstruction.temporal(prediction=made, target=frames, flow=torch.full((3, 2, 32, 32), torch.nan))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert made.grad is not None
    assert not made.grad.any()


def test_region_l1_is_a_mean_over_the_region_alone() -> None:
    target = torch.zeros(1, 3, 2, 2)
    prediction = torch.tensor([[[[0.3, 9.0], [0.6, 9.0]]]]).expand(1, 3, 2, 2)
    region = torch.tensor([[[True, False], [True, False]]])
    assert reconstruction.region_l1(prediction=prediction, target=target, region=region) == pytest.approx(0.45)
    assert reconstruction.region_l1(prediction=prediction, target=target, region=torch.zeros_like(region)) == 0
