"""The generator's shapes for every image size, the paper's layers, and where the residual head starts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lit_reenact.networks.generator import Generator
from lit_reenact.networks.settings import GeneratorSettings, InputSettings


@pytest.fixture(scope="module")
def paper() -> Generator:
    return Generator(settings=GeneratorSettings(head="tanh"))


def small(window: int, image_size: int = 64, **settings: Any) -> Generator:
    return Generator(InputSettings(window=window, image_size=image_size), GeneratorSettings(**settings))


def _convolutions(module: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]


@pytest.mark.parametrize(("image_size", "levels"), [(64, 6), (128, 7), (192, 6), (256, 8), (320, 6), (512, 9)])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_frames_have_the_images_size_and_range(image_size: int, levels: int, norm: str) -> None:
    generator = small(2, image_size, channels=4, levels=levels, max_channels=8, norm=norm)
    conditioning = torch.rand(1, 18, image_size, image_size) * 2 - 1
    frame = generator.train()(conditioning)  # a batch of one, in training: no map of a single value may be normalised
    assert frame.shape == (1, 3, image_size, image_size)
    assert frame.abs().max() < 1


def test_the_default_is_the_papers_encoder(paper: Generator) -> None:
    layers = [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0]) for c in _convolutions(paper.down)]
    assert layers == [
        (99, 64, 4, 2),
        (64, 128, 4, 2),
        (128, 256, 4, 2),
        (256, 512, 4, 2),
        *[(512, 512, 4, 2)] * 4,
    ]


def test_the_default_is_the_papers_decoder(paper: Generator) -> None:
    up = [c for part in (paper.up, paper.last_up) for c in _convolutions(part)]
    deconvolutions = [(c.in_channels, c.out_channels) for c in up if isinstance(c, nn.ConvTranspose2d)]
    assert deconvolutions == [(512, 512), *[(1024, 512)] * 3, (1024, 256), (512, 128), (256, 64), (128, 32)]
    refinements = [c for c in up if isinstance(c, nn.Conv2d)] + [paper.to_frame]
    assert len(refinements) == 2 * 8
    assert {(c.kernel_size, c.stride) for c in refinements} == {((3, 3), (1, 1))}


def test_dropout_acts_on_the_three_deepest_up_steps() -> None:
    generator = Generator(settings=GeneratorSettings(channels=4, max_channels=8))
    assert [part.p for part in generator.modules() if isinstance(part, nn.Dropout)] == [0.5] * 3 + [0.0] * 5


def test_the_innermost_map_sees_the_whole_window() -> None:
    """The receptive field, measured: every pixel of every channel reaches the middle of the frame."""
    generator = small(2, channels=8, levels=6, norm="none", dropout=0.0, head="tanh")
    for convolution in _convolutions(generator):
        nn.init.constant_(convolution.weight, 1 / convolution.weight[0].numel())
    conditioning = torch.ones(1, 18, 64, 64, requires_grad=True)
    (gradient,) = torch.autograd.grad(generator(conditioning)[0, 0, 32, 32].atanh(), conditioning)
    assert (gradient > 0).all()


def test_weights_start_as_in_the_paper(paper: Generator) -> None:
    weights = torch.cat([c.weight.detach().flatten() for c in _convolutions(paper)])
    assert weights.mean().item() == pytest.approx(0, abs=1e-5)
    assert weights.std().item() == pytest.approx(0.02, rel=1e-3)


def test_the_residual_head_starts_at_the_mean_frame() -> None:
    generator = small(3, channels=8, levels=6)
    mean_frame = torch.rand(3, 64, 64) * 1.9 - 0.95
    generator.set_base(mean_frame)
    frame = generator(torch.rand(2, 27, 64, 64) * 2 - 1)
    assert (frame - mean_frame).abs().max() < 2 / 255  # the range [-1, 1] is 2 wide


def test_the_residual_head_starts_at_another_base_where_one_is_given() -> None:
    generator = small(3, channels=8, levels=6)
    base = torch.rand(2, 3, 64, 64) * 1.9 - 0.95
    frame = generator(torch.rand(2, 27, 64, 64) * 2 - 1, base)
    assert (frame - base).abs().max() < 2 / 255


def test_the_network_of_a_residual_head_sees_its_base() -> None:
    """The first step, against one convolution over window and base stacked."""
    generator = small(2, channels=8, levels=3, norm="none")
    conditioning, base = torch.rand(2, 18, 64, 64) * 2 - 1, torch.rand(2, 3, 64, 64) * 2 - 1
    first: nn.Conv2d = generator.down[0][0]  # type: ignore[index, assignment]
    weight = torch.cat([first.weight, generator.from_base.weight], dim=1)
    stacked = nn.functional.conv2d(torch.cat([conditioning, base], 1), weight, first.bias, stride=2, padding=1)
    expected = nn.functional.leaky_relu(stacked, 0.2)
    assert torch.allclose(generator._first_step(conditioning, base), expected, atol=1e-5)

    nn.init.normal_(generator.to_frame.weight)
    added = generator(conditioning, base).atanh() - base.atanh()
    assert not torch.allclose(added, generator(conditioning, -base).atanh() + base.atanh(), atol=1e-2)


def test_a_mean_frame_at_the_ends_of_the_range_stays_finite_and_learnable() -> None:
    generator = small(3, channels=8, levels=6)
    generator.set_base(torch.ones(3, 64, 64))
    frame = generator(torch.zeros(2, 27, 64, 64))
    frame.sum().backward()
    assert frame.isfinite().all()
    assert generator.to_frame.bias is not None
    assert generator.to_frame.bias.grad is not None
    assert generator.to_frame.bias.grad.mean().item() / (2 * 64 * 64) == pytest.approx(1 - 0.98**2, rel=0.01)


def test_the_mean_frame_is_part_of_the_state_of_the_residual_head_alone() -> None:
    assert "mean_frame" in Generator(settings=GeneratorSettings(channels=4)).state_dict()
    assert "mean_frame" not in Generator(settings=GeneratorSettings(channels=4, head="tanh")).state_dict()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"levels": 8}, r"image_size 100 .*levels = 256"),
        ({"levels": 0}, "levels"),
        ({"head": "sigmoid"}, "head"),
        ({"norm": "layer"}, "norm"),
    ],
)
def test_contradictory_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        small(11, 100 if "levels" in settings else 256, **settings)
