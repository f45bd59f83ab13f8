"""A generator in an exchange format: what is written beside its weights, and how it runs without the code that trained it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import ConditioningImage, checked_conditioning, conditioning_channels
from lit_reenact.networks.generator import Generator, Head
from lit_reenact.networks.windows import Placement, WindowShape

METADATA = "lit_reenact"
"""Under this name the description stands in the metadata of an ONNX file."""

INPUT, OUTPUT = "conditioning", "frames"


@dataclass(frozen=True)
class ExportedGenerator:
    """What must be known of an exported generator to make its input. Its base frame, if it has one, is among the weights.

    The input is float32 (B, 3 * images * window, size, size) in [-1, 1], for any B; the output float32 (B, 3, size, size).

    Attributes:
        image_size: side of the square images in pixels.
        window: number of frames in a window.
        placement, stride: which frames those are (``WindowShape``).
        conditioning: names of the images of each frame.
        head: what makes the frame of the last maps.
        source: names of the videos that it was trained on.
        clip_sha256: of their working clips.
        checkpoint: name of the checkpoint that it was exported from.
        checkpoint_sha256: of its file.
        code_version: of lit_reenact.
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
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ExportedGenerator:
        """Raises an error of some kind if the text is not what ``to_json`` gives."""
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()
        }
        checked_conditioning(settings["conditioning"])
        return cls(**settings)

    @property
    def channels(self) -> int:
        """Of a window."""
        return conditioning_channels(self.conditioning) * self.window


class OnnxGenerator(Generator):
    """A generator whose forward pass ONNX Runtime computes, on the processor, in float32.

    What it is to torch are no layers, only the SHA-256 of its file, which tells it from others as weights do.

    Args:
        file: written by ``lit-reenact export``. No code is run from it.

    Raises:
        ReenactError: ONNX Runtime is not installed, or the file is damaged or not one of ours.
    """

    def __init__(self, file: Path) -> None:
        nn.Module.__init__(self)
        runtime = _runtime()
        content = _content(file)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what it has to say stands in the exception
        try:
            self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            self.description = ExportedGenerator.from_json(self._session.get_modelmeta().custom_metadata_map[METADATA])
            fits = [one.name for one in self._session.get_inputs()] == [INPUT] and self.description.head in get_args(Head)
        except Exception as error:  # ONNX Runtime raises many kinds, all of which mean the same to the user
            raise ReenactError(
                f"{file} is damaged or was not written by `lit-reenact export`: export the checkpoint again"
            ) from error
        if not fits:
            raise ReenactError(f"{file} was not written by this version of `lit-reenact export`: export the checkpoint again")
        self.shape = WindowShape(self.description.window, self.description.placement, self.description.stride)
        self.conditioning = self.description.conditioning
        self.image_size = self.description.image_size
        self.head = self.description.head
        digest = torch.frombuffer(bytearray(sha256(content).digest()), dtype=torch.uint8)
        self.digest = nn.Parameter(digest, requires_grad=False)

    def forward(self, conditioning: Tensor, base: Tensor | None = None) -> Tensor:
        """As ``Generator.forward``, without another base: the file has its own."""
        if base is not None:
            raise ValueError("an exported generator starts from its own base frame")
        frames = self._session.run([OUTPUT], {INPUT: conditioning.float().contiguous().numpy()})[0]
        return torch.from_numpy(frames)


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ReenactError(
            "ONNX Runtime, which runs exported generators, is not installed: pip install 'lit_reenact[export]', or give the "
            "checkpoint itself"
        ) from error
    return onnxruntime


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ReenactError(f"{file} cannot be read ({error.strerror}): `lit-reenact export` writes such files") from error
