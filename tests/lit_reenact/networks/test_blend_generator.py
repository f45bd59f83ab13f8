"""The blend of moved and painted pixels: shares, references that are left out, gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lit_reenact.core.schema import References
from lit_reenact.networks.blend_generator import BlendGenerator, make_generator
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.settings import GeneratorSettings, InputSettings

SIZE, COUNT = 32, 3


@pytest.fixture
def generator() -> BlendGenerator:
    torch.manual_seed(0)
    inputs = InputSettings(image_size=SIZE, window=2, references=COUNT)
    return BlendGenerator(inputs, GeneratorSettings(channels=8, levels=3, max_channels=16, head="blend"))


def references(samples: int = 2, **changes: Tensor) -> References:
    seeded = torch.Generator().manual_seed(1)
    middle = (torch.arange(SIZE) + 0.5) / SIZE
    grid = torch.stack(torch.meshgrid(middle, middle, indexing="xy")).repeat(COUNT, 1, 1)
    return References(
        images=torch.rand(1, COUNT, 3, 2 * SIZE + 1, 2 * SIZE + 1, generator=seeded) * 2 - 1,
        actor=torch.zeros(samples, dtype=torch.int64),
        grid=grid.expand(samples, -1, -1, -1),
        validity=validity(torch.rand(samples, 3 * COUNT, SIZE, SIZE, generator=seeded)),
        present=torch.ones(samples, COUNT),
    )._replace(**changes)


def validity(seen: Tensor, unseen: float = 0.0) -> Tensor:
    """Return channels (B, 4 K, H, W) from the three of each reference that do not mark what it cannot show."""
    three = seen.unflatten(1, (COUNT, 3))
    return torch.cat([three, torch.full_like(three[:, :, :1], unseen)], 2).flatten(1, 2)


def conditioning(samples: int = 2) -> Tensor:
    return torch.rand(samples, 18, SIZE, SIZE, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_the_frame_is_the_mean_of_its_sources_by_their_shares(generator: BlendGenerator) -> None:
    """With every source of one colour, a frame cannot leave the range of these colours."""
    frame, shares = generator.eval().blend(conditioning(), None, references())
    assert frame.shape == (2, 3, SIZE, SIZE)
    assert shares.shape == (2, COUNT + 3, SIZE, SIZE)
    assert torch.allclose(shares.sum(1), torch.ones(2, SIZE, SIZE), atol=1e-5)
    assert frame.abs().max() <= 1


def test_only_references_that_are_present_reach_the_frame(generator: BlendGenerator) -> None:
    """A marker in a key frame changes every sample but the one that may not see it."""
    present = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    clean = references(present=present)
    images = clean.images.clone()
    images[0, 1] = 1.0  # the marker
    changed = clean._replace(images=images)
    generator.eval()
    before, after = (generator(conditioning(), None, each) for each in (clean, changed))
    assert not torch.allclose(before[0], after[0])
    assert torch.equal(before[1], after[1])
    _, shares = generator.blend(conditioning(), None, clean)
    assert shares[1, 1].max() < 1e-6


def test_what_a_reference_cannot_show_comes_from_elsewhere(generator: BlendGenerator) -> None:
    hidden = references()
    hidden.validity[:, 4 * 1 + 3, :, :5] = 1  # the left of the second reference
    _, shares = generator.eval().blend(conditioning(), None, hidden)
    assert shares[:, 1, :, :5].max() < 1e-6
    assert shares[:, 1, :, 5:].min() > 1e-3
    assert shares[:, COUNT].min() > 1e-3  # the others may show what it does not, and then the mean frame may, too


@pytest.mark.parametrize("plate", [False, True])
def test_what_no_reference_can_show_is_painted(plate: bool) -> None:
    """A reference that is left out, for being the sample's own frame, may have been the only one to show it."""
    inputs = InputSettings(image_size=SIZE, window=2, references=COUNT, plate=plate)
    generator = BlendGenerator(inputs, GeneratorSettings(channels=8, levels=3, max_channels=16, head="blend")).eval()
    hidden = references(present=torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    hidden.validity[:, [4 + 3, 8 + 3], :, :5] = 1
    shares = generator.blend(conditioning(), None, hidden).shares
    assert shares[:, -1, :, :5].min() > 1 - 1e-6
    assert shares[0, COUNT, :, 5:].min() > 1e-3
    assert generator.train().blend(conditioning(), None, hidden).shares[0, COUNT, :, :5].min() > 1e-3
    nothing_unseen = references(present=torch.zeros(2, COUNT))
    assert generator.eval().blend(conditioning(), None, nothing_unseen).shares[:, COUNT].min() > 1e-3


def test_the_plate_is_a_source_of_pixels() -> None:
    inputs = InputSettings(image_size=SIZE, window=2, references=COUNT, plate=True)
    generator = BlendGenerator(inputs, GeneratorSettings(channels=8, levels=3, max_channels=16, head="blend")).eval()
    base = torch.rand(6, SIZE, SIZE, generator=torch.Generator().manual_seed(3)) * 2 - 1
    generator.set_base(base)
    assert torch.equal(generator.plate, base[3:])
    frame, shares = generator.blend(conditioning(), None, references())
    assert shares[:, COUNT + 1].min() > 1e-3
    torch.testing.assert_close(generator(conditioning(), base.expand(2, -1, -1, -1), references()), frame)
    assert "plate" in generator.state_dict()


def test_a_plate_without_references_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.inputs\.plate is on"):
        InputSettings(plate=True)


def test_the_marker_stays_out_in_training_too(generator: BlendGenerator) -> None:
    """Batch norm mixes the samples of a batch, so that a batch of its own shows whether a sample sees the key frame."""
    absent = references(1, present=torch.tensor([[1.0, 0.0, 1.0]]))
    images = absent.images.clone().requires_grad_()
    generator.train()(conditioning(1), None, absent._replace(images=images)).sum().backward()
    assert images.grad is not None
    assert (images.grad[0, 1] == 0).all()
    assert (images.grad[0, 0] != 0).any()


def test_all_weights_learn(generator: BlendGenerator) -> None:
    """The step from half the resolution learns where pixels come from, although it starts at no shift at all."""
    generator.train()(conditioning(), None, references()).square().mean().backward()
    assert all(weight.grad is not None for weight in generator.parameters())
    assert generator.to_shift.weight.grad is not None
    assert generator.to_shift.weight.grad.abs().max() > 0


def test_another_mean_frame_is_seen(generator: BlendGenerator) -> None:
    generator.eval()
    own = generator(conditioning(), None, references())
    other = generator(conditioning(), torch.ones(2, 3, SIZE, SIZE), references())
    assert not torch.allclose(own, other)
    generator.set_base(torch.ones(3, SIZE, SIZE))
    assert torch.allclose(generator(conditioning(), None, references()), other, atol=1e-6)


def test_half_precision_stays_near(generator: BlendGenerator) -> None:
    generator.eval()
    exact = generator(conditioning(), None, references())
    generator.to_bfloat16()
    assert (generator(conditioning(), None, references()) - exact).abs().mean() < 0.02


def test_a_frame_without_references_is_refused(generator: BlendGenerator) -> None:
    with pytest.raises(ValueError, match="needs reference frames"):
        generator(conditioning())


@pytest.mark.parametrize(("inputs", "head"), [({"references": 2}, "residual"), ({}, "blend"), ({"references": 1}, "tanh")])
def test_references_and_head_must_fit(inputs: dict[str, Any], head: Any) -> None:
    with pytest.raises(ValueError, match=r"model\.generator\.head is .* and model\.inputs\.references is"):
        make_generator(InputSettings(image_size=64, **inputs), GeneratorSettings(channels=4, levels=3, head=head))


def test_the_settings_choose_the_generator() -> None:
    small = {"channels": 4, "levels": 3}
    assert type(make_generator(InputSettings(image_size=32), GeneratorSettings(**small))) is Generator  # type: ignore[arg-type]
    blend = make_generator(InputSettings(image_size=32, references=1), GeneratorSettings(**small, head="blend"))  # type: ignore[arg-type]
    assert type(blend) is BlendGenerator
