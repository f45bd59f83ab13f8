"""Sampling of reference frames, against images that are moved by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lit_reenact.core.schema import ReferenceMaps, References
from lit_reenact.networks.references import place_references, prepare_key_frames, sample_references

SIZE = 16


def key_images(count: int = 2, side: int = 2 * SIZE, seed: int = 0) -> Tensor:
    return torch.randint(256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def placed(images: Tensor, flow: tuple[float, float] = (0.0, 0.0), samples: int = 1) -> References:
    """Return references of one clip that every pixel sees by the same flow, a share of the image's side."""
    count = len(images)
    maps = ReferenceMaps(
        torch.tensor(flow).view(1, 1, 2, 1, 1).repeat(samples, count, 1, 8, 8), torch.zeros(samples, count, 3, 8, 8)
    )
    present = torch.ones(samples, count, dtype=torch.bool)
    return place_references(prepare_key_frames(images, SIZE)[None], torch.zeros(samples, dtype=torch.int64), maps, present, SIZE)


def halved(images: Tensor) -> Tensor:
    return interpolate(images.float() / 127.5 - 1, size=(SIZE, SIZE), mode="area")


def test_without_motion_a_reference_is_the_key_frame_at_the_frames_size() -> None:
    images = key_images()
    sampled = sample_references(placed(images, samples=3))
    assert sampled.shape == (3, 2, 3, SIZE, SIZE)
    assert torch.allclose(sampled, halved(images).expand(3, -1, -1, -1, -1), atol=1e-5)


def test_a_flow_of_whole_pixels_moves_the_key_frame() -> None:
    images = key_images()
    sampled = sample_references(placed(images, flow=(3 / SIZE, -2 / SIZE)))[0]
    assert torch.allclose(sampled[..., 2:, :-3], halved(images)[..., :-2, 3:], atol=1e-5)


def test_a_flow_of_half_a_pixel_averages_the_finer_pixels_there() -> None:
    """Half a pixel of the frame is a whole pixel of the key frame: nothing is blurred beyond the mean over the pixel."""
    images = key_images()
    sampled = sample_references(placed(images, flow=(0.5 / SIZE, 0.0)))[0]
    rolled = halved(images.roll(-1, dims=-1))
    assert torch.allclose(sampled[..., :-1], rolled[..., :-1], atol=1e-5)


def test_a_learned_shift_adds_to_the_flow() -> None:
    images = key_images()
    shift = torch.zeros(1, 4, SIZE, SIZE)
    shift[:, 2] = 3 / SIZE  # the second reference moves to the right
    sampled = sample_references(placed(images), shift)[0]
    assert torch.allclose(sampled[0], halved(images)[0], atol=1e-5)
    assert torch.allclose(sampled[1, :, :, :-3], halved(images)[1, :, :, 3:], atol=1e-5)


def test_each_sample_sees_the_key_frames_of_its_own_clip() -> None:
    one, other = key_images(seed=0), key_images(seed=1)
    references = placed(one, samples=3)
    both = torch.stack([prepare_key_frames(images, SIZE) for images in (one, other)])
    sampled = sample_references(references._replace(images=both, actor=torch.tensor([1, 0, 1])))
    assert torch.allclose(sampled, torch.stack([halved(other), halved(one), halved(other)]), atol=1e-5)


def test_a_reference_that_is_left_out_is_grey() -> None:
    sampled = sample_references(placed(key_images())._replace(present=torch.tensor([[1.0, 0.0]])))[0]
    assert (sampled[1] == 0).all()
    assert (sampled[0] != 0).any()


@pytest.mark.parametrize("side", [SIZE, 24, 3 * SIZE, 4 * SIZE])
def test_key_frames_of_any_size_keep_a_smooth_picture(side: int) -> None:
    """A slope in brightness lies at the same places whatever the clip's size is."""
    slope = ((torch.arange(side) + 0.5) / side * 255).round().to(torch.uint8).expand(1, 3, side, side)
    expected = ((torch.arange(SIZE) + 0.5) / SIZE * 2 - 1).expand(3, SIZE, SIZE)
    sampled = sample_references(placed(slope))[0, 0]
    assert (sampled - expected)[..., 1:-1].abs().max() < 0.02
