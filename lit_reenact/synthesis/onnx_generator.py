"""A generator that was exported to ONNX, run by ONNX Runtime."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import References
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.settings import Head
from lit_reenact.networks.windows import WindowShape
from lit_reenact.synthesis.exported_generator import ExportedGenerator

METADATA = "lit_reenact"
"""Name of the description in the metadata of an ONNX file."""

INPUT, PLACES, OUTPUT = "conditioning", ("grid", "validity"), "frames"
"""Names of the network's input, of the two more inputs of one with key frames, and of the output, in an ONNX file."""


class OnnxGenerator(Generator):
    """A generator whose forward pass ONNX Runtime computes, on the processor, in float32.

    For torch it has no layers, only a parameter with the SHA-256 of its file, which tells two generators apart as weights do.

    Args:
        file: ``.onnx`` file written by ``lit-reenact export``. No code is run from it.

    Raises:
        ReenactError: ONNX Runtime is not installed, or the file is missing, damaged, or not written by ``lit-reenact export``.
    """

    def __init__(self, file: Path) -> None:
        nn.Module.__init__(self)
        runtime = _import_runtime()
        content = _read_file(file)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # the exception says it all
        try:
            self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            self.description = ExportedGenerator.from_json(self._session.get_modelmeta().custom_metadata_map[METADATA])
            self._inputs = [one.name for one in self._session.get_inputs()]
            references = self.description.references
            self.key_frames = None if references is None else references.key_frames()
            expected = [INPUT] if references is None else [INPUT, *PLACES]
            fits = self._inputs == expected and self.description.head in get_args(Head)
        except Exception as error:  # ONNX Runtime raises many kinds; to the user all mean the same
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

    def forward(
        self,
        conditioning: Tensor,
        base: Tensor | None = None,
        references: References | None = None,
        actor: Tensor | None = None,
    ) -> Tensor:
        """Generate frames, float32 (B, 3, H, W) in [-1, 1], from windows (B, C, H, W) in [-1, 1].

        Of ``references`` it takes the places alone: the file has key frames, and the texture, of one person.

        Raises:
            ValueError: ``base`` or ``actor`` is given, references are left out, or they are given to a generator without key
                frames, or not to one with.
        """
        if base is not None or actor is not None or (references is None) != (self.key_frames is None):
            raise ValueError("an exported generator has its own base frame and person, and takes references if it has key frames")
        if references is None:
            return self.run(conditioning)
        if not references.present.all():
            raise ValueError("an exported generator needs all of its references")
        return self.run(conditioning, references.grid, references.validity)

    def run(self, *inputs: Tensor) -> Tensor:
        """Generate frames from the inputs of the file, in their order there."""
        arrays = (each.float().contiguous().numpy() for each in inputs)
        return torch.from_numpy(self._session.run([OUTPUT], dict(zip(self._inputs, arrays, strict=True)))[0])


def _import_runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ReenactError(
            "ONNX Runtime, which runs exported generators, is not installed: pip install 'lit_reenact[export]', or give the "
            "checkpoint itself"
        ) from error
    return onnxruntime


def _read_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ReenactError(f"{file} cannot be read ({error.strerror}): `lit-reenact export` writes such files") from error
