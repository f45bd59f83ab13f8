"""Learned perceptual distance of images (LPIPS)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn

from lit_reenact.core.crops import cut_boxes, region_boxes
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.weights import load_weights

LpipsBackbone = Literal["alex", "squeeze", "vgg"]

SMALLEST_CROP = 64
"""Smallest side in pixels of a crop that LPIPS is given: the backbones shrink an image five times."""


class Lpips(nn.Module):
    """Learned perceptual image patch similarity, LPIPS (Zhang et al. 2018, version 0.1), frozen.

    The features of both images are scaled to unit length at every place and subtracted; the squared differences, weighted by a
    linear head, are averaged over the places and summed over the layers.

    The network moves with this module but is neither in its parameters nor in its state: nothing trains it, no checkpoint
    stores it.

    Args:
        backbone: ``alex``, whose ImageNet weights come with the package; ``squeeze`` or ``vgg``, whose weights torchvision
            downloads where it has none.

    Raises:
        ReenactError: the shipped weights are missing or damaged, or those of another backbone cannot be downloaded.
        ValueError: the backbone is unknown.

    Example:
        >>> lpips = Lpips()
        >>> lpips(prediction=torch.zeros(2, 3, 64, 64), target=torch.zeros(2, 3, 64, 64))
        tensor([0., 0.])
    """

    def __init__(self, backbone: LpipsBackbone = "alex") -> None:
        super().__init__()
        if backbone not in get_args(LpipsBackbone):
            raise ValueError(f"lpips backbone is {backbone!r}, but must be one of {get_args(LpipsBackbone)}")
        self.backbone = backbone
        from lpips import normalize_tensor

        self._normalize: Callable[[Tensor], Tensor] = normalize_tensor
        self._hidden = [_build_network(backbone)]  # a list keeps a module out of parameters() and state_dict()

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the distance (B,) of each pair of images (B, 3, H, W) in [-1, 1]; 0 for equal images, with no upper bound."""
        return self.compare(self.features(prediction), self.features(target))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the features of images (B, 3, H, W) in [-1, 1], layer by layer, of unit length at every place.

        Frames that are compared with several others are sent through the backbone once.
        """
        network: Any = self._hidden[0]
        layers = network.net(network.scaling_layer(images))
        return [self._normalize(layer) for layer in layers]

    def compare(self, features: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
        """Return the distance (B,) of each pair of images from their ``features``."""
        heads: Any = self._hidden[0].lins
        layers = zip(heads, features, others, strict=True)
        return torch.stack([head((one - other) ** 2).mean((1, 2, 3)) for head, one, other in layers]).sum(0)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._hidden[0]._apply(fn)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call,no-any-return]


def region_lpips(lpips: Lpips, prediction: Tensor, target: Tensor, region: Tensor, size: int) -> Tensor:
    """Return the mean LPIPS of square crops around regions; images whose region is empty do not count, 0 if all are.

    Args:
        lpips: the distance of two images.
        prediction: (B, 3, H, W) generated frames in [-1, 1].
        target: (B, 3, H, W) real frames in [-1, 1].
        region: bool (B, H, W).
        size: side of the crops in pixels; at least ``SMALLEST_CROP`` is taken.
    """
    boxes = region_boxes(region)
    shown, generated = (cut_boxes(frames, boxes, max(size, SMALLEST_CROP)) for frames in (target, prediction))
    counts = boxes.isfinite().all(1)
    distance: Tensor = lpips(prediction=generated, target=shown)
    return (distance * counts).sum() / counts.sum().clamp_min(1)


def _build_network(backbone: str) -> nn.Module:
    import lpips

    is_shipped = backbone == "alex"
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's deprecation of the arguments that lpips uses
        try:
            network: nn.Module = lpips.LPIPS(net=backbone, pnet_rand=is_shipped, verbose=False)
        except OSError as error:
            raise ReenactError(
                f"the ImageNet weights of lpips_backbone {backbone!r} cannot be downloaded ({error}): use 'alex', which needs no "
                "download"
            ) from error
    if is_shipped:
        _load_features(network)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@torch.no_grad()
def _load_features(network: nn.Module) -> None:
    """Copy the shipped AlexNet features into the backbone, whose parameters are named ``slice1.0.weight`` and so on."""
    weights = load_weights("alexnet_features")
    for name, parameter in network.get_submodule("net").named_parameters():
        parameter.copy_(weights[f"features.{name.split('.', 1)[1]}"])
