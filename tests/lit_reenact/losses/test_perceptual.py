"""LPIPS: the shipped weights, the way it moves and stays out of checkpoints, and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lit_reenact.core.errors import ReenactError
from lit_reenact.losses.perceptual import Lpips


@pytest.fixture
def lpips() -> Lpips:
    return Lpips()


def test_lpips_of_each_pair_is_0_for_equal_images_and_grows_with_the_difference(lpips: Lpips) -> None:
    target = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    distances = lpips(prediction=target + torch.tensor([0.0, 0.05, 0.5]).view(3, 1, 1, 1) * noise, target=target)
    assert distances.shape == (3,)
    assert distances[0] == 0
    assert 0 < distances[1] < distances[2]


def test_building_it_disturbs_no_random_numbers_and_gives_the_same_network_every_time(lpips: Lpips) -> None:
    before = torch.get_rng_state()
    again = Lpips()
    assert torch.equal(before, torch.get_rng_state())
    images = torch.rand(2, 2, 3, 64, 64)
    assert torch.equal(lpips(*images), again(*images))


def test_lpips_is_frozen_and_leaves_no_trace_in_its_owner(lpips: Lpips) -> None:
    owner = nn.Sequential(lpips).train()
    assert not list(owner.parameters())
    assert not owner.state_dict()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    loss = lpips(image, torch.zeros_like(image)).sum()
    loss.backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_lpips_moves_with_its_owner(lpips: Lpips) -> None:
    owner = nn.Sequential(lpips).double()
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    assert lpips(image, 1 - image).dtype == torch.float64
    owner.to("meta")
    assert lpips(image.to("meta"), image.to("meta")).device.type == "meta"


def test_alex_downloads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("it tried to download"))
    assert Lpips("alex").backbone == "alex"


def test_a_download_without_a_network_is_reported_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(ReenactError, match=r"no network.*'alex'"):
        Lpips("squeeze")


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(ValueError, match="untrained"):
        Lpips("untrained")  # type: ignore[arg-type]
