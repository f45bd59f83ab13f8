"""Key frames as plain tensors, in checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from torch import Tensor

from lit_reenact.core.schema import FaceParameters, KeyFrames


def pack_key_frames(frames: KeyFrames) -> dict[str, Tensor]:
    """Return numbers, images and parameters by name, as ``torch.save`` writes them without pickling classes."""
    parameters = {field.name: getattr(frames.parameters, field.name) for field in fields(FaceParameters)}
    return {"numbers": frames.numbers, "images": frames.images, **parameters}


def unpack_key_frames(packed: Mapping[str, Tensor]) -> KeyFrames:
    """Return the key frames of ``pack_key_frames``.

    Raises:
        KeyError: a tensor is missing.
    """
    parameters = FaceParameters(**{field.name: packed[field.name] for field in fields(FaceParameters)})
    return KeyFrames(packed["numbers"], packed["images"], parameters)
