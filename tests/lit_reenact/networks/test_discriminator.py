"""The discriminator against the plain PatchGAN it is a rewriting of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lit_reenact.networks.discriminator import PatchDiscriminator
from lit_reenact.networks.settings import DiscriminatorNorm, DiscriminatorSettings


@pytest.mark.parametrize(("image_size", "patches"), [(64, 6), (128, 14), (256, 30), (512, 62)])
def test_logits_for_every_image_size(image_size: int, patches: int) -> None:
    discriminator = PatchDiscriminator(2 * 9, DiscriminatorSettings(channels=4))
    logits = discriminator(torch.zeros(2, 18, image_size, image_size), torch.zeros(2, 3, image_size, image_size))
    assert logits.shape == (2, 1, patches, patches)


def test_the_first_convolution_runs_over_window_and_frame_together() -> None:
    discriminator = PatchDiscriminator(18, DiscriminatorSettings(channels=8)).eval()
    conditioning, frame = torch.randn(2, 18, 64, 64), torch.randn(2, 3, 64, 64)
    first = nn.Conv2d(21, 8, kernel_size=4, stride=2, padding=1)
    with torch.no_grad():
        first.weight.copy_(torch.cat([discriminator.from_conditioning.weight, discriminator.from_frame.weight], 1))
        first.bias.copy_(discriminator.from_conditioning.bias)  # type: ignore[union-attr, arg-type]
        together = discriminator.patches(first(torch.cat([conditioning, frame], 1)))
        assert torch.allclose(discriminator(conditioning, frame), together, atol=1e-5)


def test_a_logit_judges_a_patch_of_70_pixels() -> None:
    discriminator = PatchDiscriminator(9, DiscriminatorSettings(channels=4, norm="none"))
    frame = torch.randn(1, 3, 128, 128, requires_grad=True)
    logits = discriminator(torch.randn(1, 9, 128, 128), frame)
    (gradient,) = torch.autograd.grad(logits[0, 0, 7, 7], frame)
    rows = gradient.abs().sum((0, 1, 3)).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_the_default_is_pix2pixs() -> None:
    widths = [c.out_channels for c in PatchDiscriminator(99).modules() if isinstance(c, nn.Conv2d)]
    assert widths == [64, 64, 128, 256, 512, 1]


@pytest.mark.parametrize("norm", ["batch", "instance", "none", "spectral"])
def test_the_features_of_every_layer_end_in_the_logits(norm: DiscriminatorNorm) -> None:
    discriminator = PatchDiscriminator(9, DiscriminatorSettings(channels=4, norm=norm)).eval()
    conditioning, frame = torch.randn(2, 9, 64, 64), torch.randn(2, 3, 64, 64)
    embedding = discriminator.embed_conditioning(conditioning)
    *maps, logits = discriminator.features(embedding, frame)
    assert [tuple(m.shape[1:]) for m in maps] == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 7, 7)]
    assert torch.equal(logits, discriminator(conditioning, frame))


def test_spectral_normalisation_keeps_every_layer_from_stretching() -> None:
    """Against the largest singular value of each weight, as a matrix, by SVD."""
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(9, DiscriminatorSettings(channels=4, norm="spectral"))
    for _ in range(100):  # the power iteration goes one step a pass
        discriminator(torch.randn(1, 9, 32, 32), torch.randn(1, 3, 32, 32))
    discriminator.eval()
    convolutions = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 6
    for convolution in convolutions:
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.discriminator\.norm is 'layer'"):
        PatchDiscriminator(9, DiscriminatorSettings(norm="layer"))  # type: ignore[arg-type]
