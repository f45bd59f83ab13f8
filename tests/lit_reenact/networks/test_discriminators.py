"""The parts of a batch that discriminators judge: where they lie, what belongs to them, and whom their gradient reaches."""

from __future__ import annotations

import pytest
import torch

from lit_reenact.core.crops import cut_boxes
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import EYES, FACE, MOUTH, Window
from lit_reenact.networks.discriminators import build_discriminators, view
from lit_reenact.networks.settings import DiscriminatorSettings, InputSettings

INPUTS = InputSettings(image_size=64, window=3, placement="centred")


@pytest.fixture
def batch() -> Window:
    """Two faces of 64 pixels; nothing is seen of the second."""
    generator = torch.Generator().manual_seed(0)
    region = torch.zeros(2, 64, 64, dtype=torch.uint8)
    region[0, 10:60, 10:60] = FACE
    region[0, 20:25, 15:25] = EYES
    region[0, 22:26, 40:50] = EYES  # the head is tilted
    region[0, 44:50, 20:40] = MOUTH
    images = [torch.rand(2, channels, 64, 64, generator=generator) for channels in (27, 3, 3)]
    return Window(images[0], images[1], region, torch.arange(2), torch.zeros(2), images[2], torch.zeros(2, 0, 64, 64))


def test_whole_frames_at_both_scales(batch: Window) -> None:
    whole, half = (view(name, INPUTS, batch) for name in ("discriminator", "half_discriminator"))
    assert torch.equal(whole.conditioning, batch.conditioning)
    assert torch.equal(whole.cut(batch.frame), batch.frame)
    for images, seen in ((batch.conditioning[:, 9:18], half.conditioning), (batch.frame, half.cut(batch.frame))):
        corners = [images[:, :, y::2, x::2] for y in (0, 1) for x in (0, 1)]
        assert torch.allclose(seen, torch.stack(corners).mean(0), atol=1e-6)
    assert whole.counts is half.counts is None


def test_the_mouth_is_judged_by_the_conditioning_of_the_current_frame(batch: Window) -> None:
    seen = view("mouth_discriminator", INPUTS, batch)
    box = torch.tensor([[30.0, 47.0, 24.0]])
    assert torch.allclose(seen.cut(batch.frame)[:1], cut_boxes(batch.frame[:1], box, 32), atol=1e-5)
    assert torch.allclose(seen.conditioning[:1], cut_boxes(batch.conditioning[:1, 9:18], box, 32), atol=1e-5)
    assert seen.counts is not None
    assert seen.counts.tolist() == [True, False]


def test_each_eye_is_a_crop_of_its_own(batch: Window) -> None:
    seen = view("eyes_discriminator", INPUTS, batch)
    crops = seen.cut(batch.frame)
    assert torch.allclose(crops[:1], cut_boxes(batch.frame[:1], torch.tensor([[20.0, 22.5, 12.0]]), 32), atol=1e-5)
    assert torch.allclose(crops[2:3], cut_boxes(batch.frame[:1], torch.tensor([[45.0, 24.0, 12.0]]), 32), atol=1e-5)
    assert seen.conditioning.shape == (4, 9, 32, 32)
    assert seen.counts is not None
    assert seen.counts.tolist() == [True, False, True, False]


def test_crops_of_large_frames_are_a_quarter_of_them(batch: Window) -> None:
    images = {name: torch.zeros(2, channels, 256, 256) for name, channels in (("conditioning", 27), ("frame", 3))}
    large = batch._replace(**images, region=batch.region.repeat_interleave(4, 1).repeat_interleave(4, 2))
    assert view("mouth_discriminator", INPUTS, large).cut(large.frame).shape == (2, 3, 64, 64)


def test_only_what_is_asked_for_is_built() -> None:
    def names(scales: int, whole: bool, details: list[str]) -> list[str]:
        settings = DiscriminatorSettings(channels=4, layers=1, scales=2 if scales == 2 else 1)
        return list(build_discriminators(INPUTS, settings, whole, details))

    assert names(1, True, []) == ["discriminator"]
    assert names(2, True, ["eyes"]) == ["discriminator", "half_discriminator", "eyes_discriminator"]
    assert names(2, False, ["mouth", "eyes"]) == ["mouth_discriminator", "eyes_discriminator"]


def test_a_second_scale_that_is_too_small_is_refused() -> None:
    build_discriminators(INPUTS, DiscriminatorSettings(channels=4, layers=4), True, [])
    with pytest.raises(ReenactError, match=r"image_size of 64 at model\.discriminator\.scales=2, whose second scale has half"):
        build_discriminators(INPUTS, DiscriminatorSettings(channels=4, layers=4, scales=2), True, [])
