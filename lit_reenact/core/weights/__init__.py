"""Weights of the networks that measure images. They come with the package, each with its licence; README.md says where from."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of

WeightsName = Literal["alexnet_features", "face_recognition", "face_landmarks_68"]

SHA256: dict[WeightsName, str] = {
    "alexnet_features": "0ef3903f87ab558634d8ed5ebad02d2ae543f90c14f17170156c461e9b6df21e",
    "face_recognition": "97d475ce26e507206dd6ec454c4da0ecc5a2a3c455cae527d9622ad76e5037e3",
    "face_landmarks_68": "3944f6fc238ce60b5e3619fee1075ea60a3a13cd04046935a009271e0b61f705",
}
"""Digest of each file: a metric from other weights would have the same name and other values."""

FOLDER = Path(__file__).resolve().parent
_AFFINE = ".affine"


@cache
def load_weights(name: WeightsName) -> dict[str, Tensor]:
    """Load the weights of a network that comes with the package.

    Args:
        name: file name without its ending.

    Returns:
        Name to tensor, float32, in the layout of the file; shared by all callers, so copy before changing one. Tensors that are
        stored as uint8 are already multiplied by their scale and moved by their offset.

    Raises:
        ReenactError: the file is missing, damaged, or another one.

    Example:
        >>> load_weights("alexnet_features")["features.0.weight"].shape
        torch.Size([64, 3, 11, 11])
    """
    path = FOLDER / f"{name}.safetensors"
    advice = "install lit_reenact again, which brings the file"
    if not path.is_file():
        raise ReenactError(f"{path} is missing, and with it the weights of a metric: {advice}")
    if sha256_of(path) != SHA256[name]:
        raise ReenactError(f"{path} is damaged or another file, its SHA-256 is wrong: {advice}")
    try:
        stored: dict[str, Tensor] = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise ReenactError(f"{path} cannot be read ({error}): {advice}") from error
    return {key: _decode(stored, key) for key in stored if not key.endswith(_AFFINE)}


def _decode(stored: dict[str, Tensor], key: str) -> Tensor:
    affine = stored.get(key + _AFFINE)
    if affine is None:
        return stored[key].float()
    scale, offset = affine.double()
    value: Tensor = stored[key].double() * scale + offset
    return value.float()
