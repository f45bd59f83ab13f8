"""An edit as data: the sliders that it moves, and when."""

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
    """What one slider does over time; before its first and after its last key it stays where it is there.

    Attributes:
        keys: (time, value), times ascending; one key is a constant, whatever its time.
        interpolation: "smooth" goes from key to key without overshooting, and comes to rest at the first and the last one
            (monotone cubic, Fritsch and Carlson 1980); "linear" goes straight.
    """

    keys: tuple[tuple[float, float], ...]
    interpolation: Interpolation = "smooth"

    def __call__(self, times: Tensor) -> Tensor:
        """The values (T,) at times (T,), which are counted as those of the keys."""
        at, values = np.array(self.keys, dtype=np.float64).T
        when = times.double().numpy().clip(at[0], at[-1])
        if self.interpolation == "linear" or len(at) == 1:
            return torch.from_numpy(np.interp(when, at, values)).float()
        # A level stretch before the first key and after the last one makes both of them flat.
        at, values = np.array([at[0] - 1, *at, at[-1] + 1]), np.array([values[0], *values, values[-1]])
        return torch.from_numpy(PchipInterpolator(at, values)(when)).float()


@dataclass(frozen=True)
class Edit:
    """What is to be changed in a video.

    Attributes:
        tracks: what each slider does that is moved at all.
        time: what the times of all keys are counted in.
        remove_hair: whether the hair is to be taken away as well.
    """

    tracks: Mapping[str, SliderTrack] = field(default_factory=dict)
    time: TimeUnit = "seconds"
    remove_hair: bool = False

    def values(self, frames: int, fps: Fraction) -> dict[str, Tensor]:
        """Where each of the sliders stands in the frames of a clip, (frames,) each.

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
        """The edit as an edit file says it, in plain values."""
        sliders = {
            name: track.keys[0][1]
            if len(track.keys) == 1
            else {"interpolation": track.interpolation, "keys": [list(key) for key in track.keys]}
            for name, track in self.tracks.items()
        }
        return {"time": self.time, "remove_hair": self.remove_hair, "sliders": sliders}
