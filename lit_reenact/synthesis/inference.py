"""Parameters and a trained generator to frames: streaming, in constant memory, for any length of video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lit_reenact.core.devices import computes_in_bfloat16
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, Track, conditioning_channels
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.windows import WindowMemory, stack_windows
from lit_reenact.rendering.renderer import Renderer
from lit_reenact.synthesis.onnx_generator import OnnxGenerator
from lit_reenact.training.checkpoint import load_networks, read_checkpoint
from lit_reenact.video.cuts import shots

Precision = Literal["auto", "float32", "bfloat16"]

BATCH = 8
"""Frames synthesised at once; a compiled generator takes no other number."""


def load_generator(
    checkpoint: Path,
    device: torch.device | str = "cpu",
    target: Track | None = None,
    precision: Precision = "float32",
    compile: bool = False,  # noqa: A002 (the name that users know)
) -> Generator:
    """The generator of a training checkpoint, with its averaged weights where it has them, ready to run.

    Args:
        checkpoint: written by ``lit-reenact fit``; or an ``.onnx`` file that ``lit-reenact export`` wrote of one.
        device: where it shall run; ONNX runs on the processor.
        target: if given, the generator must have been trained on this track's clip.
        precision: of its weights. ``bfloat16`` is faster where the processor computes in it and changes frames by less than a
            level of 255 on average; ``auto`` takes it there, and float32 elsewhere.
        compile: let ``torch.compile`` fuse its operations at the first frames, on a GPU into CUDA graphs. It is for synthesis
            alone then.

    Raises:
        ReenactError: no such file, not a checkpoint of this project, weights that do not fit its own settings, or another target;
            ``.onnx`` in bfloat16 or to be compiled, or any ``.pt2``.
    """
    if checkpoint.suffix in (".onnx", ".pt2"):
        return _load_exported(checkpoint, target, precision, compile)
    state = read_checkpoint(checkpoint)
    trained_on = state.get("TrackDataModule", {})
    if "clip_sha256" in trained_on:
        _check_target(checkpoint, target, trained_on["source"], trained_on["clip_sha256"])
    generator = load_networks(checkpoint, state).generator.eval().to(device)
    if precision == "bfloat16" or (precision == "auto" and computes_in_bfloat16(torch.device(device))):
        generator.to_bfloat16()
    if compile:
        _compile(generator)
    return generator


def _check_target(checkpoint: Path, target: Track | None, sources: Sequence[str], clips: Sequence[str]) -> None:
    if target is not None and target.info.clip_sha256 not in clips:
        raise ReenactError(f"{checkpoint} was trained on {', '.join(sources)}, not on {target.info.source}: give its own target")


def _load_exported(file: Path, target: Track | None, precision: Precision, compiled: bool) -> OnnxGenerator:
    if file.suffix == ".pt2":
        raise ReenactError(
            f"{file} is not run here, for to load a .pt2 runs whatever code somebody put into it: give the checkpoint, or export "
            "that to .onnx"
        )
    if compiled or precision == "bfloat16":
        raise ReenactError(f"{file} runs in ONNX Runtime, in float32: leave out --compile and --precision bfloat16")
    generator = OnnxGenerator(file)
    if generator.description.clip_sha256:
        _check_target(file, target, generator.description.source, generator.description.clip_sha256)
    return generator


def _compile(generator: Generator) -> None:
    """In place and for batches of one size: of others, the last piece is filled up, as every size would be compiled anew."""
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to load

    on_gpu = next(generator.parameters()).device.type == "cuda"
    compiled = torch.compile(generator.forward, dynamic=False, mode="reduce-overhead" if on_gpu else "default")

    def forward(conditioning: Tensor) -> Tensor:
        frames = []
        for piece in torch.split(conditioning, BATCH):
            filled = torch.cat([piece, piece[-1:].expand(BATCH - len(piece), -1, -1, -1)])
            try:
                made = compiled(filled)
            except TorchDynamoException as error:
                reason = str(error).strip().splitlines()[0]
                raise ReenactError(
                    f"the generator cannot be compiled ({reason}): install a C++ compiler, for a GPU Triton too, or do without"
                ) from error
            frames.append(made[: len(piece)].clone())  # CUDA graphs write the next frames over these
        return torch.cat(frames)

    generator.forward = forward  # type: ignore[method-assign, assignment]


@torch.inference_mode()
def render_frames(
    generator: Generator,
    renderer: Renderer,
    parameters: FaceParameters,
    cuts: tuple[int, ...] = (),
    batch: int = BATCH,
    first: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Synthesise a frame for every one of ``parameters``, in order.

    Args:
        generator: trained.
        renderer: of the target, of the images that the generator was trained on.
        parameters: of T frames.
        cuts: the first frame after every cut; windows do not reach over one.
        batch: frames synthesised at once.
        first: frame to begin with, where an earlier run has ended; the frames are those of a run from the start, bit for bit.

    Yields:
        Pairs of chunks: the frames, uint8 (N, H, W, 3), and their conditioning images, uint8 (N, 3 K, H, W); N <= batch.

    Raises:
        ReenactError: the renderer makes images of another size than the generator was trained on.
    """
    for start, stop in shots(cuts, len(parameters)):
        if stop > first:
            yield from _render_shot(generator, renderer, parameters[start:stop], batch, max(0, first - start))


def _render_shot(
    generator: Generator, renderer: Renderer, parameters: FaceParameters, batch: int, known: int
) -> Iterator[tuple[Tensor, Tensor]]:
    device, shape, size = next(generator.parameters()).device, generator.shape, generator.image_size
    memory = WindowMemory()
    images = torch.empty(0, conditioning_channels(generator.conditioning), size, size, dtype=torch.uint8, device=device)
    begin = known // batch * batch  # the same frames are synthesised together as in a run from the start
    first = max(0, begin - shape.before)  # frame of the first of the images
    for start in range(begin, len(parameters), batch):
        stop = min(start + batch, len(parameters))
        reached = min(stop + shape.after, len(parameters))
        new = renderer(parameters[first + len(images) : reached]).to(device)
        if new.shape[-1] != size:
            raise ReenactError(f"the generator makes frames of {size} pixels, the conditioning images have {new.shape[-1]}")
        images = torch.cat([images, new])
        shown = shape.frames(torch.arange(start, stop), 0, len(parameters) - 1) - first
        output = generator(stack_windows(images, shown.to(device), memory))
        frames = ((output + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        new_ones = slice(max(0, known - start), None)
        yield frames.permute(0, 2, 3, 1)[new_ones].cpu(), images[start - first : stop - first][new_ones].cpu()
        done = max(0, stop - shape.before - first)  # images that no later window shows
        images, first = images[done:], first + done
