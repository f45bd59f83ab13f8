"""Random edits of the training part, which show a network more poses and expressions than the person did."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.edit import Edit, SliderTrack


@dataclass(frozen=True)
class Variations:
    """Settings of edited copies of the training frames, in poses and expressions that the person did not show.

    Random sliders that move smoothly edit the parameters of the training part, and the face mesh warps its frames to show the
    edited parameters (``varied_clip``). From these pairs a network learns that a head follows its rendering in front of a still
    background, further than the person went and in combinations that the person never showed. The same settings give the same
    variations, whatever the seed of a run.

    Attributes:
        copies: number of edited copies of the training part; each takes as much disk space as the part itself.
        share: share of the training windows that show variations, in (0, 1).
        turn: degrees by which the head turns, nods and tilts further than tracked, to either side.
        shift: millimetres by which the head moves sideways and up, to either side.
        nearer: percentage by which the head becomes larger or smaller.
        gain: range of expression strength, from 1 / (1 + ``gain``) to 1 + ``gain``.
        close: probability that an eye is partly or fully shut at a random pose, for each eye on its own.
        period: seconds from one random pose to the next.

    Example:
        >>> edit = Variations(copies=1).edit(frames=250, fps=Fraction(25), generator=torch.Generator().manual_seed(0))
    """

    copies: int = 0
    share: float = 0.5
    turn: float = 8.0
    shift: float = 10.0
    nearer: float = 4.0
    gain: float = 0.7
    close: float = 0.3
    period: float = 1.0

    def __post_init__(self) -> None:
        for name in ("copies", "turn", "shift", "nearer", "gain"):
            if getattr(self, name) < 0:
                raise ReenactError(f"data.variations.{name} is {getattr(self, name)}, but must be at least 0")
        if not 0 < self.share < 1:
            raise ReenactError(f"data.variations.share is {self.share}, but must lie between 0 and 1; copies=0 has no variations")
        if not 0 <= self.close <= 1:
            raise ReenactError(f"data.variations.close is {self.close}, but must lie from 0 to 1")
        if not self.period > 0:
            raise ReenactError(f"data.variations.period is {self.period}, but must be more than 0 seconds")

    @property
    def name(self) -> str:
        """Name of the cache files, which changes with every setting but ``share``."""
        return "varied-" + hashlib.sha256(repr(replace(self, share=0.5)).encode()).hexdigest()[:8]

    def sampling_weights(self, weights: Tensor) -> Tensor:
        """Return sampling weights of windows and of their variations.

        Args:
            weights: (W,) sampling weights of the windows.

        Returns:
            ((1 + copies) W,), the windows first.
        """
        varied = weights.repeat(self.copies) * self.share / self.copies
        return torch.cat([(1 - self.share) * weights, varied])

    def edit(self, frames: int, fps: Fraction, generator: torch.Generator) -> Edit:
        """Return a random edit of a clip of ``frames`` frames."""
        count = max(2, round(frames / float(fps) / self.period))
        at = torch.linspace(0, float(frames), count + 1).tolist()

        def moving(values: Tensor) -> SliderTrack:
            return SliderTrack(tuple(zip(at, values.tolist(), strict=True)))

        def draw() -> Tensor:
            return torch.rand(count + 1, generator=generator)

        to_either_side = {
            "head_yaw": self.turn,
            "head_pitch": self.turn,
            "head_roll": self.turn,
            "position_x": self.shift,
            "position_y": self.shift,
            "position_nearer": self.nearer,
        }
        tracks = {name: moving((2 * draw() - 1) * reach) for name, reach in to_either_side.items()}
        tracks["expression_gain"] = moving((1 + self.gain) ** (2 * draw() - 1))
        for side in ("left", "right"):
            tracks[f"close_{side}_eye"] = moving(draw() * (draw() < self.close))
        return Edit(tracks, "frames")


UNVARIED = Variations()
