"""LPIPS: the shipped weights, the way it moves and stays out of checkpoints, and its errors."""

from __future__ import annotations

from pathlib import Path

import lpips as lpips_package
import pytest
import torch
from skimage.data import astronaut
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d

from lit_reenact.core.crops import cut_boxes, region_boxes
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.weights import load_weights
from lit_reenact.losses.perceptual import Lpips, region_lpips


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


def formula(image: Tensor, other: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """LPIPS of two images (1, 3, H, W) as Zhang et al. 2018 write it, equation 1, from AlexNet's tensors and the linear heads."""
    heads = torch.load(
        Path(lpips_package.__file__).parent / "weights" / "v0.1" / "alex.pth", map_location="cpu", weights_only=True
    )
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1), torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    layers = {0: {"stride": 4, "padding": 2}, 3: {"padding": 2}, 6: {"padding": 1}, 8: {"padding": 1}, 10: {"padding": 1}}
    features, distance = torch.cat([(one - shift) / scale for one in (image, other)]), torch.zeros(())
    for number, (name, shape) in enumerate(layers.items()):
        if name in (3, 6):
            features = max_pool2d(features, 3, 2)
        features = conv2d(features, weights[f"features.{name}.weight"], weights[f"features.{name}.bias"], **shape).relu()
        one, two = features / features.square().sum(1, keepdim=True).sqrt().clamp_min(1e-10)
        head = heads[f"lin{number}.model.1.weight"].view(-1, 1, 1)
        distance = distance + (head * (one - two).square()).sum(0).mean()
    return distance


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    """A photograph (1, 3, 96, 96) in [-1, 1], and the same blurred."""
    photograph = torch.from_numpy(astronaut()[:96, 180:276].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return photograph, avg_pool2d(photograph, 5, 1, 2, count_include_pad=False)


def test_it_equals_the_formula(lpips: Lpips, pair: tuple[Tensor, Tensor]) -> None:
    expected = formula(*pair, load_weights("alexnet_features"))
    assert lpips(*pair).item() == pytest.approx(expected.item(), rel=1e-4)
    assert lpips(*pair).item() == pytest.approx(lpips(*pair[::-1]).item(), rel=1e-5)  # symmetric
    assert lpips(pair[0], pair[0]).item() == 0


def test_features_are_compared_as_the_package_compares_images(lpips: Lpips, pair: tuple[Tensor, Tensor]) -> None:
    features = [lpips.features(image) for image in pair]
    package = lpips._hidden[0](*pair)
    assert lpips.compare(*features).item() == pytest.approx(package.item(), rel=1e-5)


def test_storage_in_float16_moves_no_value_by_a_thousandth(pair: tuple[Tensor, Tensor]) -> None:
    """Each weight may have been anywhere within half a step of float16 around the stored one."""
    stored = load_weights("alexnet_features")
    generator = torch.Generator().manual_seed(0)
    value = formula(*pair, stored)
    for _ in range(3):
        moved = {
            name: weight + weight.abs() * 2**-11 * (torch.randint(0, 2, weight.shape, generator=generator) * 2 - 1)
            for name, weight in stored.items()
        }
        assert (formula(*pair, moved) - value).abs() < 1e-3


def test_lpips_of_a_region_is_that_of_its_crops(lpips: Lpips) -> None:
    target, prediction = torch.rand(2, 3, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1
    region = torch.zeros(3, 32, 32, dtype=torch.bool)
    region[0, 5:15, 8:18] = region[2, 20:30, 4:24] = True  # the second shows none
    prediction.requires_grad_()
    loss = region_lpips(lpips, prediction, target, region, size=80)
    crops = [cut_boxes(frames, region_boxes(region), 80)[[0, 2]] for frames in (prediction, target)]
    assert loss.item() == pytest.approx(lpips(*crops).mean().item(), rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert prediction.grad is not None
    assert prediction.grad[0, :, 4:16, 7:19].any()
    assert not prediction.grad[1].any()
    prediction.grad[0, :, 3:17, 6:20] = 0  # the box is a pixel wider on each side, and interpolation reaches one more
    assert not prediction.grad[0].any()


def test_lpips_without_any_region_is_0_and_has_a_gradient(lpips: Lpips) -> None:
    prediction = torch.rand(2, 3, 32, 32, requires_grad=True)
    loss = region_lpips(lpips, prediction, torch.zeros(2, 3, 32, 32), torch.zeros(2, 32, 32, dtype=torch.bool), size=32)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert prediction.grad is not None
    assert not prediction.grad.any()
