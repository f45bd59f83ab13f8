"""Losses between generated and real frames; those that need the discriminator are in ``adversarial``.

Every function returns a loss, so smaller is better and descent minimises it. ``prediction`` and ``target`` are images in [-1, 1].
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import warp_by_flow

LpipsBackbone = Literal["auto", "alex", "squeeze", "vgg", "untrained"]


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two batches of images (B, 3, H, W), in [0, 2]."""
    return F.l1_loss(prediction, target)


def region_l1(prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Return the mean absolute difference of images (B, 3, H, W) over a region, bool (B, H, W); 0 if it is empty."""
    difference = (prediction - target).abs().mean(1)
    return (difference * region).sum() / region.sum().clamp_min(1.0)


def temporal(prediction: Tensor, target: Tensor, flow: Tensor) -> Tensor:
    """Return the mean absolute difference between frames and their predecessors, warped by the flow of the real frames.

    Lai et al. 2018. A pixel counts with weight exp(-50 e^2), where e is the distance in colour, in [0, 1], between the real frame
    and its warped predecessor: a pixel that comes into view, or is followed wrongly, has no predecessor.

    Args:
        prediction: (B, 3, H, W) generated frames.
        target: (B, 3, H, W) real frames.
        flow: (B, 2, H, W) in pixels, right and down, from each pixel of a real frame to its place in the frame before it in the
            batch; NaN where the batch has no such frame.

    Returns:
        A value in [0, 2]; 0 where no frame follows another.
    """
    flow = flow[1:].float()
    follows = flow.isfinite().all(1)  # (B - 1, H, W)
    before = torch.cat([prediction, target], 1)[:-1].float()
    predicted, real = warp_by_flow(before, flow.nan_to_num()).chunk(2, dim=1)
    trust = torch.exp(-50 * ((target[1:] - real) / 2).square().sum(1)) * follows
    return ((prediction[1:] - predicted).abs().mean(1) * trust).sum() / trust.sum().clamp_min(1.0)


class Lpips(nn.Module):
    """Learned perceptual distance of image pairs (Zhang et al. 2018), frozen.

    Its network moves with this module but is neither in its parameters nor in its state: nothing trains it, no checkpoint
    stores it, and all processes build the same one.

    Args:
        backbone: ``alex``, ``squeeze`` or ``vgg`` (torchvision downloads ImageNet weights where it has none), ``untrained``
            (a fixed random ``alex`` that needs no download), or ``auto``: ``alex`` if its weights are on this machine
            already, ``untrained`` if not.

    Raises:
        ReenactError: the backbone's weights cannot be downloaded.
        ValueError: the backbone is unknown.

    Example:
        >>> lpips = Lpips("untrained")
        >>> lpips(prediction=torch.zeros(2, 3, 64, 64), target=torch.zeros(2, 3, 64, 64))
        tensor([0., 0.])
    """

    def __init__(self, backbone: LpipsBackbone = "auto") -> None:
        super().__init__()
        if backbone not in get_args(LpipsBackbone):
            raise ValueError(f"lpips backbone is {backbone!r}, but must be one of {get_args(LpipsBackbone)}")
        if backbone == "auto":
            backbone = "alex" if _is_downloaded("alexnet") else "untrained"
        self.backbone = backbone
        self._hidden = [_build_lpips(backbone)]  # a list keeps a module out of parameters() and state_dict()

    @property
    def name(self) -> str:
        """Name of the values in logs and tables."""
        return "lpips_untrained" if self.backbone == "untrained" else "lpips"

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the distance (B,) of each pair of images (B, 3, H, W) in [-1, 1]; 0 for equal images, with no upper bound."""
        distance: Tensor = self._hidden[0](prediction, target)
        return distance.flatten()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._hidden[0]._apply(fn)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call,no-any-return]


def _build_lpips(backbone: str) -> nn.Module:
    import lpips

    untrained = backbone == "untrained"
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's deprecation of the arguments that lpips uses
        torch.manual_seed(0)
        try:
            network: nn.Module = lpips.LPIPS(net="alex" if untrained else backbone, pnet_rand=untrained, verbose=False)
        except OSError as error:
            raise ReenactError(
                f"the ImageNet weights of lpips_backbone {backbone!r} cannot be downloaded ({error}): use 'untrained' or 'auto'"
            ) from error
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _is_downloaded(network: str) -> bool:
    from torchvision.models import get_model_weights  # type: ignore[import-untyped]

    url: str = get_model_weights(network).DEFAULT.url
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name).is_file()
