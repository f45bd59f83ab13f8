"""What a network is shown beyond the person's own performance: random edits of it."""

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
    """The training frames once more, in poses and expressions that the person did not show.

    The parameters of the training part are edited by random sliders that move smoothly, and its frames are bent by the face mesh
    to show the edited parameters (``varied_clip``). From such pairs a network learns that a head goes where its rendering goes,
    before a background that stays: further than the person went, and in combinations that the person never showed. The same
    settings give the same variations, whatever the seed of a run.

    Attributes:
        copies: how often the training part is varied; 0 for not at all. Each copy takes as much disk as the part itself.
        share: of the windows of a training that show variations.
        turn: degrees by which the head turns, nods and tilts beyond what it does, to either side.
        shift: mm by which it moves sideways and up, to either side.
        nearer: %, larger or smaller by up to this share.
        gain: expressions are as much as 1 + ``gain`` times, and as little as 1 / (1 + ``gain``) times, as strong.
        close: how likely an eye is more or less shut at a moment, each by itself.
        period: seconds from one random pose to the next.
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
        """That tells their files from those of other settings."""
        return "varied-" + hashlib.sha256(repr(replace(self, share=0.5)).encode()).hexdigest()[:8]

    def weighted(self, weights: Tensor) -> Tensor:
        """How often to draw windows (W,), and after them their variations, if these are drawn by themselves."""
        varied = weights.repeat(self.copies) * self.share / self.copies
        return torch.cat([(1 - self.share) * weights, varied])

    def edit(self, frames: int, fps: Fraction, generator: torch.Generator) -> Edit:
        """A random edit of so many frames."""
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
