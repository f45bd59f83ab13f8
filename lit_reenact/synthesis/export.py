"""A trained generator to a file that other programs run: ONNX, or PyTorch's own export."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from lit_reenact.core.errors import ReenactError
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Model, code_version
from lit_reenact.synthesis.onnx_generator import INPUT, METADATA, OUTPUT, ExportedGenerator, OnnxGenerator
from lit_reenact.training.checkpoint import load_networks, read_checkpoint

PT2_METADATA = "lit_reenact.json"
"""Name of the description among the extra files of a .pt2."""

TOLERANCE = 1e-3
"""Largest difference to the checkpoint's frames, which lie in [-1, 1]: an eighth of a level of 255."""


def export(checkpoint: Path, output: Path) -> float:
    """Write a checkpoint's generator, with its averaged weights where it has them, as ``.onnx`` or ``.pt2``.

    The file takes any number of windows at once and holds its own description (``ExportedGenerator``). It gets its name only
    when it gives the checkpoint's frames.

    Returns:
        The largest difference to the checkpoint's frames, in their range of [-1, 1], over windows of noise.

    Raises:
        ReenactError: the checkpoint cannot be read, the name has another ending, what ONNX needs is not installed, or the
            file does not give the checkpoint's frames.
    """
    if output.suffix not in (".onnx", ".pt2"):
        raise ReenactError(f"{output}: the name of an exported generator ends in .onnx or .pt2")
    state = read_checkpoint(checkpoint)
    generator = load_networks(checkpoint, state).generator.eval()
    description = _describe(generator, checkpoint, state.get("TrackDataModule", {}))
    windows = 2 * torch.rand(3, description.channels, generator.image_size, generator.image_size) - 1
    write = write_onnx if output.suffix == ".onnx" else write_pt2
    temporary = output.with_name(f".{output.stem}.{os.getpid()}{output.suffix}")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(generator, description, temporary)
        difference = largest_difference(generator, read_back(temporary), windows)
        if not difference <= TOLERANCE:
            raise ReenactError(f"{output} was not written: its frames differ by up to {difference:.2g} from the checkpoint's")
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def write_onnx(generator: Generator, description: ExportedGenerator, output: Path) -> None:
    """Write ONNX with the weights inside, the description in its metadata.

    Raises:
        ReenactError: what writes ONNX is not installed.
    """
    try:
        import onnxscript  # noqa: F401 (torch.onnx needs it and says so in many lines)
    except ImportError as error:
        raise ReenactError("to write ONNX, pip install 'lit_reenact[export]', or export to .pt2") from error
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            trace(generator, description), (), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
        )
    assert program is not None
    program.model.metadata_props[METADATA] = description.to_json()
    output.write_bytes(program.model_proto.SerializeToString())


def write_pt2(generator: Generator, description: ExportedGenerator, output: Path) -> None:
    """Write the archive of ``torch.export.save``, the description among its extra files."""
    archive = BytesIO()
    with warnings.catch_warnings(action="ignore"):
        torch.export.save(trace(generator, description), archive, extra_files={PT2_METADATA: description.to_json()})
    output.write_bytes(archive.getvalue())


@torch.no_grad()
def trace(generator: Generator, description: ExportedGenerator) -> ExportedProgram:
    """The graph of a generator in evaluation mode, for any number of windows."""
    example = torch.zeros(2, description.channels, generator.image_size, generator.image_size)
    return torch.export.export(generator, (example,), dynamic_shapes=({0: Dim("batch", min=1)},))


def read_back(file: Path) -> Callable[[Tensor], Tensor]:
    """What an exported file computes. Of a .pt2 only one that was just written here: its weights are pickled."""
    if file.suffix == ".onnx":
        return OnnxGenerator(file)
    loaded: Callable[[Tensor], Tensor] = torch.export.load(BytesIO(file.read_bytes())).module()
    return loaded


@torch.no_grad()
def largest_difference(generator: Generator, other: Callable[[Tensor], Tensor], windows: Tensor) -> float:
    """The largest absolute difference between what two networks make of windows (B, C, H, W)."""
    return float((generator(windows) - other(windows)).abs().max())


def _describe(generator: Generator, checkpoint: Path, trained_on: dict[str, list[str]]) -> ExportedGenerator:
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
    )
