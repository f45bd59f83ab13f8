"""Causal smoothing of live measurements: the 1-euro filter (Casiez, Roussel and Vogel, CHI 2012)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SPEED_CUTOFF = 1.0
"""Cutoff frequency (Hz) of the filter on the speed, on which the cutoff of the value depends."""


@dataclass(frozen=True)
class Steadiness:
    """Strength of the smoothing of one channel.

    Attributes:
        rest: cutoff frequency (Hz) while the channel stands still: the lower, the steadier.
        per_speed: increase of the cutoff (Hz) per unit of the channel and second: the higher, the smaller the lag.
    """

    rest: float
    per_speed: float


class OneEuroFilter:
    """A low-pass filter of channels (C,) whose cutoff rises with the speed of each channel.

    Args:
        steadiness: strength of the smoothing of each channel.
    """

    def __init__(self, steadiness: list[Steadiness]) -> None:
        self._rest = torch.tensor([each.rest for each in steadiness])
        self._per_speed = torch.tensor([each.per_speed for each in steadiness])
        self._value: Tensor | None = None
        self._speed = torch.zeros(len(steadiness))

    def __call__(self, value: Tensor, seconds: float) -> Tensor:
        """Return the filtered channels (C,).

        Args:
            value: (C,) measurement.
            seconds: time since the measurement before.
        """
        if self._value is None:
            self._value = value
            return value
        speed = (value - self._value) / seconds
        self._speed = torch.lerp(self._speed, speed, _share(torch.tensor(SPEED_CUTOFF), seconds))
        cutoff = self._rest + self._per_speed * self._speed.abs()
        self._value = torch.lerp(self._value, value, _share(cutoff, seconds))
        return self._value

    def forget(self) -> None:
        """Forget the past: the next value is returned unfiltered."""
        self._value = None
        self._speed = torch.zeros_like(self._speed)


def _share(cutoff: Tensor, seconds: float) -> Tensor:
    """Return the weight of a new value in a first-order low-pass filter with this cutoff (Hz)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * seconds))
