"""An edit as data: sliders and their keyframes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from lit_reenact.core.errors import ReenactError

Interpolation = Literal["smooth", "linear"]
TimeUnit = Literal["seconds", "frames"]


@dataclass(frozen=True)
class SliderTrack:
    """Values of one slider over time; it is constant before its first and after its last key.

    Attributes:
        keys: (time, value) pairs with ascending times; a single key is a constant, whatever its time.
        interpolation: "smooth" passes through the keys without overshooting, and is level at the first and the last one
            (monotone cubic, Fritsch and Carlson 1980); "linear" is straight between keys.

    Example:
        >>> track = SliderTrack(((0.0, 0.0), (1.0, 10.0)), "linear")
        >>> values = track(torch.tensor([0.0, 0.5, 1.0]))
    """

    keys: tuple[tuple[float, float], ...]
    interpolation: Interpolation = "smooth"

    def __call__(self, times: Tensor) -> Tensor:
        """Return the values (T,) at times (T,), in the unit of the keys' times."""
        at, values = np.array(self.keys, dtype=np.float64).T
        when = times.double().numpy().clip(at[0], at[-1])
        if self.interpolation == "linear" or len(at) == 1:
            return torch.from_numpy(np.interp(when, at, values)).float()
        # A level stretch before the first and after the last key makes the curve level at both.
        at, values = np.array([at[0] - 1, *at, at[-1] + 1]), np.array([values[0], *values, values[-1]])
        return torch.from_numpy(PchipInterpolator(at, values)(when)).float()


@dataclass(frozen=True)
class Edit:
    """Edit of a video.

    Attributes:
        tracks: values over time of the sliders that move, by name.
        time: unit of the times of all keys.
        remove_hair: whether to remove the hair too.
    """

    tracks: Mapping[str, SliderTrack] = field(default_factory=dict)
    time: TimeUnit = "seconds"
    remove_hair: bool = False

    def values(self, frames: int, fps: Fraction) -> dict[str, Tensor]:
        """Return the value (T,) of each slider in every frame of a clip.

        Args:
            frames: number T of frames.
            fps: frames per second.

        Raises:
            ReenactError: a key lies outside the clip.
        """
        scale = 1.0 if self.time == "frames" else float(1 / fps)
        end = frames * scale
        for name, track in self.tracks.items():
            for time, _ in track.keys if len(track.keys) > 1 else ():
                if not 0 <= time <= end:
                    raise ReenactError(
                        f"the edit moves {name} at {time:g} {self.time}, but the clip lasts from 0 to {end:g}: move that key"
                    )
        times = torch.arange(frames, dtype=torch.float64) * scale
        return {name: track(times) for name, track in self.tracks.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the plain values of an edit file."""
        sliders = {
            name: track.keys[0][1]
            if len(track.keys) == 1
            else {"interpolation": track.interpolation, "keys": [list(key) for key in track.keys]}
            for name, track in self.tracks.items()
        }
        return {"time": self.time, "remove_hair": self.remove_hair, "sliders": sliders}
