"""Description of an exported generator, stored beside its weights so that other programs can make its input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from lit_reenact.core.schema import ConditioningImage, conditioning_channels, parse_conditioning
from lit_reenact.networks.settings import Head
from lit_reenact.networks.windows import Placement


@dataclass(frozen=True)
class ExportedGenerator:
    """Everything needed to make the input of an exported generator. Its base frame, if it has one, is among the weights.

    The input is float32 (B, 3 * images * window, size, size) in [-1, 1], for any B; the output float32 (B, 3, size, size).

    Attributes:
        image_size: side of the square images in pixels.
        window: number of frames in a window, N_w.
        placement: position of the current frame in the window (``WindowShape``).
        stride: distance of the window's frames in the clip (``WindowShape``).
        conditioning: names of the conditioning images of each frame.
        head: kind of output layer.
        source: names of the videos that the generator was trained on.
        clip_sha256: SHA-256 of the working clips that the generator was trained on.
        checkpoint: name of the checkpoint that the generator was exported from.
        checkpoint_sha256: SHA-256 of that checkpoint.
        code_version: version of lit_reenact that exported the generator.
    """

    image_size: int
    window: int
    placement: Placement
    stride: int
    conditioning: tuple[ConditioningImage, ...]
    head: Head
    source: tuple[str, ...]
    clip_sha256: tuple[str, ...]
    checkpoint: str
    checkpoint_sha256: str
    code_version: str

    def to_json(self) -> str:
        """Return the description as JSON text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ExportedGenerator:
        """Read the text of ``to_json``; raise some exception if it is anything else."""
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()
        }
        parse_conditioning(settings["conditioning"])
        return cls(**settings)

    @property
    def channels(self) -> int:
        """Number of channels of a window."""
        return conditioning_channels(self.conditioning) * self.window
