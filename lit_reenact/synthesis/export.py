"""A trained generator to a file that other programs run: ONNX, or PyTorch's own export."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import atomic_output
from lit_reenact.core.schema import KeyFrames
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.key_frames import unpack_key_frames
from lit_reenact.provenance import Model, code_version
from lit_reenact.synthesis.exported_generator import ExportedGenerator, ExportedReferences
from lit_reenact.synthesis.fixed_references import FixedReferences, noise_places
from lit_reenact.synthesis.onnx_generator import INPUT, METADATA, OUTPUT, PLACES, OnnxGenerator
from lit_reenact.training.checkpoint import load_networks, read_checkpoint

PT2_METADATA = "lit_reenact.json"
"""Name of the description among the extra files of a .pt2."""

TOLERANCE = 1e-3
"""Largest allowed difference to the checkpoint's frames, which lie in [-1, 1]: an eighth of a level of 255."""

Network = Callable[..., Tensor]
"""Function from windows, and the places of key frames where there are any, to frames."""


def export(checkpoint: Path, output: Path) -> float:
    """Write a checkpoint's generator, with averaged weights where the checkpoint has them, as ``.onnx`` or ``.pt2``.

    The file takes any number of windows at once and holds its own description (``ExportedGenerator``). It gets its name only
    if it reproduces the checkpoint's frames.

    Args:
        checkpoint: file written by ``lit-reenact fit``.
        output: the .onnx or .pt2 file to write.

    Returns:
        The largest difference to the checkpoint's frames, in their range of [-1, 1], over windows of noise.

    Raises:
        ReenactError: the checkpoint cannot be read, or holds the key frames or the textures of several clips; ``output`` has
            another ending, what ONNX needs is not installed, or the file does not reproduce the checkpoint's frames.

    Example:
        >>> export(Path("outputs/anna/seed-0/checkpoints/best.ckpt"), Path("anna.onnx"))
    """
    if output.suffix not in FORMATS:
        raise ReenactError(f"{output}: the name of an exported generator ends in .onnx or .pt2")
    state = read_checkpoint(checkpoint)
    generator = load_networks(checkpoint, state).generator.eval()
    trained_on = state.get("TrackDataModule", {})
    if generator.head == "blend":
        generator.key_frames = _only_key_frames(checkpoint, trained_on.get("key_frames", ()))
    if generator.texture is not None and len(generator.texture) > 1:
        raise ReenactError(
            f"{checkpoint} has the textures of {len(generator.texture)} persons, but an exported generator holds that of one: "
            "export a checkpoint that was trained on a single person"
        )
    network = generator if generator.key_frames is None else FixedReferences(generator, generator.key_frames)
    description = _describe(generator, checkpoint, trained_on)
    noise = _noise(description)
    with atomic_output(output) as partial:
        FORMATS[output.suffix].write(network, description, partial)
        difference = largest_difference(network, FORMATS[output.suffix].read(partial), *noise)
        if not difference <= TOLERANCE:
            raise ReenactError(f"{output} was not written: its frames differ by up to {difference:.2g} from the checkpoint's")
    return difference


def write_onnx(network: nn.Module, description: ExportedGenerator, output: Path) -> None:
    """Write ONNX with the weights inside and the description in its metadata.

    Raises:
        ReenactError: what writes ONNX is not installed.
    """
    try:
        import onnxscript  # noqa: F401 (torch.onnx needs it and says so in many lines)
    except ImportError as error:
        raise ReenactError("to write ONNX, pip install 'lit_reenact[export]', or export to .pt2") from error
    inputs = [INPUT] if description.references is None else [INPUT, *PLACES]
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            trace(network, description), (), dynamo=True, input_names=inputs, output_names=[OUTPUT], verbose=False
        )
    assert program is not None
    program.model.metadata_props[METADATA] = description.to_json()
    output.write_bytes(program.model_proto.SerializeToString())


def write_pt2(network: nn.Module, description: ExportedGenerator, output: Path) -> None:
    """Write the archive of ``torch.export.save``, with the description among its extra files."""
    archive = BytesIO()
    with warnings.catch_warnings(action="ignore"):
        torch.export.save(trace(network, description), archive, extra_files={PT2_METADATA: description.to_json()})
    output.write_bytes(archive.getvalue())


def read_pt2(file: Path) -> Network:
    """Load the network of a .pt2 that this process has just written; any other could run code, for its weights are pickled."""
    network: Network = torch.export.load(BytesIO(file.read_bytes())).module()
    return network


class Format(NamedTuple):
    """A file format of exported generators: the function that writes a file, and the one that loads it."""

    write: Callable[[nn.Module, ExportedGenerator, Path], None]
    read: Callable[[Path], Network]


FORMATS = {".onnx": Format(write_onnx, lambda file: OnnxGenerator(file).run), ".pt2": Format(write_pt2, read_pt2)}
"""File formats by the ending of the file's name."""


@torch.no_grad()
def trace(network: nn.Module, description: ExportedGenerator) -> ExportedProgram:
    """Return the graph of a network in evaluation mode, for any number of windows."""
    example = _noise(description)
    return torch.export.export(network, example, dynamic_shapes=({0: Dim("batch", min=1)},) * len(example))


@torch.no_grad()
def largest_difference(one: Network, other: Network, *inputs: Tensor) -> float:
    """Return the largest absolute difference between the frames of two networks for windows (B, C, H, W) and their places."""
    return float((one(*inputs) - other(*inputs)).abs().max())


def _noise(description: ExportedGenerator) -> tuple[Tensor, ...]:
    """Return inputs for three windows."""
    size, references = description.image_size, description.references
    windows = 2 * torch.rand(3, description.channels, size, size) - 1
    return (windows,) if references is None else (windows, *noise_places(3, references.count, size))


def _only_key_frames(checkpoint: Path, packed: Sequence[Mapping[str, Tensor]]) -> KeyFrames:
    if len(packed) != 1:
        raise ReenactError(
            f"{checkpoint} has the key frames of {len(packed)} clips, but an exported generator holds those of one person: "
            "export a checkpoint that was trained on a single clip"
        )
    return unpack_key_frames(packed[0])


def _describe(generator: Generator, checkpoint: Path, trained_on: Mapping[str, Any]) -> ExportedGenerator:
    model = Model.of(checkpoint)
    return ExportedGenerator(
        image_size=generator.image_size,
        window=generator.shape.length,
        placement=generator.shape.placement,
        stride=generator.shape.stride,
        conditioning=generator.conditioning,
        head=generator.head,
        source=tuple(trained_on.get("source", ())),
        clip_sha256=tuple(trained_on.get("clip_sha256", ())),
        checkpoint=model.name,
        checkpoint_sha256=model.sha256,
        code_version=code_version(),
        references=None if generator.key_frames is None else ExportedReferences.of(generator.key_frames),
    )
