"""Lengths of the networks' gradients."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm


def clip_gradients(networks: Mapping[str, nn.Module], longest: float) -> dict[str, Tensor]:
    """Shorten the gradient of each network to a length.

    Args:
        networks: networks by name, after the backward pass.
        longest: longest gradient that stays as it is; 0 shortens none.

    Returns:
        Name of each network to the length that its gradient had, a tensor without dimensions.
    """
    lengths = {}
    for name, network in networks.items():
        lengths[name] = get_total_norm([weight.grad for weight in network.parameters() if weight.grad is not None])
        if longest:
            clip_grads_with_norm_(network.parameters(), longest, lengths[name])
    return lengths
