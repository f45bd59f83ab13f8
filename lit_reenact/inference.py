"""Parameters and a trained generator to frames: streaming, in constant memory, for any length of video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from lit_reenact.cuts import shots
from lit_reenact.errors import ReenactError
from lit_reenact.module import ReenactModule
from lit_reenact.networks.generator import Generator
from lit_reenact.precision import computes_in_bfloat16
from lit_reenact.rendering.ablations import Renderer
from lit_reenact.schema import FaceParameters, Track, conditioning_channels
from lit_reenact.windows import WindowMemory, stack_windows

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
        checkpoint: written by ``lit-reenact fit``.
        device: where it shall run.
        target: if given, the generator must have been trained on this track's clip.
        precision: of its weights. ``bfloat16`` is faster where the processor computes in it and changes frames by less than a
            level of 255 on average; ``auto`` takes it there, and float32 elsewhere.
        compile: let ``torch.compile`` fuse its operations at the first frames, on a GPU into CUDA graphs. It is for synthesis
            alone then.

    Raises:
        ReenactError: no such file, not a checkpoint of this project, weights that do not fit its own settings, or another target.
    """
    state = read_checkpoint(checkpoint)
    trained_on = state.get("TrackDataModule", {})
    if target is not None and target.info.clip_sha256 not in trained_on.get("clip_sha256", target.info.clip_sha256):
        raise ReenactError(
            f"{checkpoint} was trained on {', '.join(trained_on['source'])}, not on {target.info.source}: give its own target"
        )
    generator = load_networks(checkpoint, state).generator.eval().to(device)
    if precision == "bfloat16" or (precision == "auto" and computes_in_bfloat16(torch.device(device))):
        generator.to_bfloat16()
    if compile:
        _compile(generator)
    return generator


def load_networks(checkpoint: Path, state: dict[str, Any]) -> ReenactModule:
    """The networks of a training checkpoint, the generator with its averaged weights where it has them.

    Args:
        checkpoint: its file, for the sentence.
        state: what ``read_checkpoint`` gave of it.

    Raises:
        ReenactError: the weights do not fit the checkpoint's own settings.
    """
    try:
        settings = {
            name: value for name, value in state["hyper_parameters"].items() if not name.startswith("_")
        }  # LightningCLI's own
        module = ReenactModule(**settings)
        module.load_state_dict(state["state_dict"])
        if state.get("generator_ema"):
            module.generator.load_state_dict(state["generator_ema"])
    except (KeyError, TypeError, ValueError, RuntimeError, ReenactError) as error:
        reason = str(error).splitlines()[0]
        raise ReenactError(
            f"{checkpoint} does not match the network that its settings describe ({reason}): train it again"
        ) from error
    return module


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """What a training checkpoint holds.

    Raises:
        ReenactError: there is no such file, or it is no checkpoint of this project.
    """
    if not checkpoint.is_file():
        raise ReenactError(f"{checkpoint}: no such checkpoint; `lit-reenact fit` writes checkpoints/last.ckpt in its run folder")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds, all of which mean the same to the user
        raise ReenactError(f"{checkpoint} is damaged or no checkpoint of lit_reenact: choose another, or train again") from error
    if not isinstance(state, dict) or "state_dict" not in state or "hyper_parameters" not in state:
        raise ReenactError(f"{checkpoint} is no checkpoint of lit_reenact: choose one that `lit-reenact fit` wrote")
    return state


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
) -> Iterator[tuple[Tensor, Tensor]]:
    """Synthesise a frame for every one of ``parameters``, in order.

    Args:
        generator: trained.
        renderer: of the target, of the images that the generator was trained on.
        parameters: of T frames.
        cuts: the first frame after every cut; windows do not reach over one.
        batch: frames synthesised at once.

    Yields:
        Pairs of chunks: the frames, uint8 (N, H, W, 3), and their conditioning images, uint8 (N, 3 K, H, W); N <= batch.

    Raises:
        ReenactError: the renderer makes images of another size than the generator was trained on.
    """
    for start, stop in shots(cuts, len(parameters)):
        yield from _render_shot(generator, renderer, parameters[start:stop], batch)


def _render_shot(
    generator: Generator, renderer: Renderer, parameters: FaceParameters, batch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    device, shape, size = next(generator.parameters()).device, generator.shape, generator.image_size
    memory = WindowMemory()
    images = torch.empty(0, conditioning_channels(generator.conditioning), size, size, dtype=torch.uint8, device=device)
    first = 0  # frame of the first of the images
    for start in range(0, len(parameters), batch):
        stop = min(start + batch, len(parameters))
        reached = min(stop + shape.after, len(parameters))
        new = renderer(parameters[first + len(images) : reached]).to(device)
        if new.shape[-1] != size:
            raise ReenactError(f"the generator makes frames of {size} pixels, the conditioning images have {new.shape[-1]}")
        images = torch.cat([images, new])
        shown = shape.frames(torch.arange(start, stop), 0, len(parameters) - 1) - first
        output = generator(stack_windows(images, shown.to(device), memory))
        frames = ((output + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        yield frames.permute(0, 2, 3, 1).cpu(), images[start - first : stop - first].cpu()
        done = max(0, stop - shape.before - first)  # images that no later window shows
        images, first = images[done:], first + done
