"""Batches whose gradients are not finite: their step is skipped on the device, without waiting for it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from lit_reenact.core.errors import ReenactError

CHECK_EVERY = 20
"""Number of batches between two looks at what the device has skipped; each look waits for the device."""


class NormStatistics:
    """Running statistics of the normalisations of networks, kept so that a skipped batch leaves no trace in them.

    One operation packs all of them, another one puts them back: many small buffers take longer one by one.

    Args:
        networks: networks on their device; a generator's own buffers, its mean frame and plate, are no statistics.
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        buffers = [buffer for network in networks for name, buffer in network.named_buffers() if "." in name and buffer.numel()]
        dtypes = dict.fromkeys(buffer.dtype for buffer in buffers)
        self._groups = [[buffer for buffer in buffers if buffer.dtype == dtype] for dtype in dtypes]
        self._before: list[Tensor] = []

    def remember(self) -> None:
        """Keep the statistics as they are now."""
        self._before = [_pack(group) for group in self._groups]

    @torch.no_grad()
    def restore_where(self, skipped: Tensor) -> None:
        """Put back what was remembered if ``skipped``, a bool tensor without dimensions, is true."""
        for group, before in zip(self._groups, self._before, strict=True):
            kept = torch.where(skipped, before, _pack(group))
            parts = kept.split([buffer.numel() for buffer in group])  # type: ignore[no-untyped-call]
            torch._foreach_copy_(group, [part.view_as(buffer) for part, buffer in zip(parts, group, strict=True)])


class SkippedBatches:
    """Record of the batches that the device skipped, read once in a while.

    Attributes:
        in_a_row: number of the last batches that were all skipped, as of the last look.
    """

    def __init__(self) -> None:
        self.in_a_row = 0
        self._pending: list[tuple[int, Tensor]] = []

    def add(self, step: int, skipped: Tensor) -> None:
        """Record a batch.

        Args:
            step: number of the batch, counted from 1.
            skipped: bool tensor without dimensions, which stays on its device.
        """
        self._pending.append((step, skipped))

    @property
    def is_due(self) -> bool:
        """True if it is time to look."""
        return len(self._pending) >= CHECK_EVERY

    def check(self, allowed: int, warns: bool) -> None:
        """Look at all batches since the last look; this waits for the device.

        Args:
            allowed: number of batches in a row that may be skipped.
            warns: whether to warn of each batch that was skipped.

        Raises:
            ReenactError: more batches in a row were skipped.
        """
        if not self._pending:
            return
        steps, flags = zip(*self._pending, strict=True)
        self._pending = []
        for step, skipped in zip(steps, torch.stack(flags).tolist(), strict=True):
            self.in_a_row = self.in_a_row + 1 if skipped else 0
            if self.in_a_row > allowed:
                raise ReenactError(
                    f"the gradients of {self.in_a_row} batches in a row are not finite: training stopped at batch step "
                    f"{step - 1}; go on from the last checkpoint with a lower model.optimizer.learning_rate, or "
                    "model.optimizer.clip_norm=1"
                )
            if skipped and warns:
                rank_zero_warn(f"the gradients of batch {step} are not finite: it is skipped, once")


def _pack(buffers: list[Tensor]) -> Tensor:
    """Return all values of some buffers, (N,)."""
    return torch.cat([buffer.flatten() for buffer in buffers])
