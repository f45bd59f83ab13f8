"""Description of an exported generator, stored beside its weights so that other programs can make its input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from lit_reenact.core.schema import ConditioningImage, FaceParameters, KeyFrames, conditioning_channels, parse_conditioning
from lit_reenact.networks.settings import Head
from lit_reenact.networks.windows import Placement


@dataclass(frozen=True)
class ExportedReferences:
    """Key frames of an exported generator, all that is needed to find the places of their pixels.

    Attributes:
        count: number of key frames, K.
        numbers: numbers of the key frames in the clip that the generator was trained on.
        parameters: ``FaceParameters`` of the key frames by name, K rows each.
    """

    count: int
    numbers: tuple[int, ...]
    parameters: Mapping[str, list[list[float]]]

    @classmethod
    def of(cls, frames: KeyFrames) -> ExportedReferences:
        """Return the description of some key frames."""
        parameters = {field.name: getattr(frames.parameters, field.name).tolist() for field in fields(FaceParameters)}
        return cls(len(frames), tuple(frames.numbers.tolist()), parameters)

    def key_frames(self) -> KeyFrames:
        """Return the key frames with images of one black pixel, as the real ones are among the weights and not needed here."""
        parameters = FaceParameters(**{name: torch.tensor(rows) for name, rows in self.parameters.items()})
        return KeyFrames(torch.tensor(self.numbers), torch.zeros(self.count, 3, 1, 1, dtype=torch.uint8), parameters)


@dataclass(frozen=True)
class ExportedGenerator:
    """Everything needed to make the input of an exported generator. Its base frame, if it has one, is among the weights.

    The input is float32 (B, 3 * images * window, size, size) in [-1, 1], for any B; the output float32 (B, 3, size, size). With K
    key frames there are two more inputs, ``References.grid`` (B, 2 K, size, size) and ``validity`` (B, 4 K, size, size); the key
    frames' pixels are among the weights.

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
        references: key frames of a ``blend`` head; None for other heads.
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
    references: ExportedReferences | None = None

    def to_json(self) -> str:
        """Return the description as JSON text, without ``references`` where there are none, as in earlier versions."""
        described = asdict(self)
        if self.references is None:
            del described["references"]
        return json.dumps(described, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ExportedGenerator:
        """Read the text of ``to_json``; raise some exception if it is anything else."""
        settings = _tuples(json.loads(text))
        parse_conditioning(settings["conditioning"])
        if "references" in settings:
            settings["references"] = ExportedReferences(**_tuples(settings["references"]))
        return cls(**settings)

    @property
    def channels(self) -> int:
        """Number of channels of a window."""
        return conditioning_channels(self.conditioning) * self.window


def _tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with tuples in place of the lists that JSON has."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
