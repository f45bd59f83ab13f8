"""Steadiness measured in overlapping chunks is that of the whole clip."""

from __future__ import annotations

import pytest
import torch
from skimage.data import astronaut
from torch import Tensor

from lit_reenact.evaluation.frame_metrics import unit
from lit_reenact.evaluation.steadiness import measure_steadiness
from lit_reenact.metrics.temporal import flicker, still_pixels, warped_error
from lit_reenact.video.optical_flow import optical_flow

FRAMES, CUT = 37, 16
"""Lengths for more than two chunks, the second of which starts with a cut."""


@pytest.fixture(scope="module")
def real() -> Tensor:
    """A portrait that moves by up to three pixels before a still wall."""
    photograph = torch.from_numpy(astronaut())[::4, ::4]
    clip = photograph.repeat(FRAMES, 1, 1, 1)
    for t in range(FRAMES):
        clip[t, 10:60, 40:90] = photograph.roll(t % 4, 1)[10:60, 40:90]
    return clip


@pytest.fixture(scope="module")
def follows() -> Tensor:
    follows = torch.ones(FRAMES, dtype=torch.bool)
    follows[[0, CUT]] = False
    return follows


def test_chunks_give_what_the_whole_clip_gives(real: Tensor, follows: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    noisy = (real + torch.randn(real.shape, generator=generator) * 5).round().clamp(0, 255).to(torch.uint8)
    values = measure_steadiness({"noisy": noisy, "real": real}, real, follows)
    flow = optical_flow(real.permute(0, 3, 1, 2), follows).float()
    expected = warped_error(unit(noisy), unit(real), flow)
    assert torch.allclose(values["noisy"]["warped_error"], expected, equal_nan=True, atol=1e-4)
    assert expected.isnan().nonzero()[:, 0].tolist() == [0, CUT]
    pair = [flicker(unit(clip), still_pixels(flow)) for clip in (noisy, real)]
    assert torch.allclose(values["noisy"]["flicker"], torch.stack(pair, -1), equal_nan=True, atol=1e-4)


def test_the_real_clip_flickers_as_itself_and_a_shaken_one_more(real: Tensor, follows: Tensor) -> None:
    flashing = real.clone()
    flashing[1::2] = (flashing[1::2] * 0.9).to(torch.uint8)
    values = measure_steadiness({"real": real, "flashing": flashing}, real, follows)
    assert torch.equal(values["real"]["flicker"][:, 0].nan_to_num(), values["real"]["flicker"][:, 1].nan_to_num())
    assert values["flashing"]["flicker"].nanmean(0)[0] > values["flashing"]["flicker"].nanmean(0)[1] + 10
    assert values["flashing"]["warped_error"].nanmean() > values["real"]["warped_error"].nanmean() + 5
