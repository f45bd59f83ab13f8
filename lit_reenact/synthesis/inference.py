"""Face parameters and a trained generator to frames: streaming, in constant memory, for a video of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from lit_reenact.core.devices import computes_in_bfloat16
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, References, Track, conditioning_channels
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.key_frames import unpack_key_frames
from lit_reenact.networks.windows import WindowMemory, stack_windows
from lit_reenact.rendering.renderer import Renderer
from lit_reenact.synthesis.compiled_generator import BATCH, compile_generator
from lit_reenact.synthesis.onnx_generator import OnnxGenerator
from lit_reenact.training.checkpoint import load_networks, read_checkpoint
from lit_reenact.video.cuts import shots

PlaceReferences = Callable[[FaceParameters], References]
"""Function from the parameters of N frames to the reference frames of a network for them."""

Precision = Literal["auto", "float32", "bfloat16"]


def load_generator(
    checkpoint: Path,
    device: torch.device | str = "cpu",
    target: Track | None = None,
    precision: Precision = "float32",
    compile: bool = False,  # noqa: A002 (the name that users know)
) -> Generator:
    """Load a trained generator, with averaged weights where the checkpoint has them, ready to run.

    Args:
        checkpoint: file written by ``lit-reenact fit``, or an ``.onnx`` file written by ``lit-reenact export``.
        device: device to run on; ONNX runs on the processor.
        target: track on whose clip the generator must have been trained; None accepts any generator.
        precision: precision of the weights. ``bfloat16`` is faster where the processor computes in it and changes frames by
            less than a level of 255 on average; ``auto`` takes it there, and float32 elsewhere.
        compile: let ``torch.compile`` fuse the operations at the first frames, on a GPU into CUDA graphs. The generator is
            for synthesis alone then.

    Raises:
        ReenactError: the file is missing or no checkpoint of this project, its weights do not fit its own settings, it was
            trained on another target, an ``.onnx`` file is to run in bfloat16 or compiled, or the file is a ``.pt2``.

    Example:
        >>> generator = load_generator(Path("outputs/anna/seed-0/checkpoints/best.ckpt"), "cuda", target.track)
    """
    if checkpoint.suffix in (".onnx", ".pt2"):
        return _load_exported(checkpoint, target, precision, compile)
    state = read_checkpoint(checkpoint)
    trained_on = state.get("TrackDataModule", {})
    if "clip_sha256" in trained_on:
        _check_target(checkpoint, target, trained_on["source"], trained_on["clip_sha256"])
    generator = load_networks(checkpoint, state).generator.eval().to(device)
    generator.actor = _actor(target, trained_on)
    if "key_frames" in trained_on:
        generator.key_frames = unpack_key_frames(trained_on["key_frames"][generator.actor])
    if generator.head == "blend" and generator.key_frames is None:
        raise ReenactError(f"{checkpoint} holds no key frames, which its network moves: take one that `lit-reenact fit` wrote")
    if precision == "bfloat16" or (precision == "auto" and computes_in_bfloat16(torch.device(device))):
        generator.to_bfloat16()
    if compile:
        compile_generator(generator)
    return generator


def _actor(target: Track | None, trained_on: Mapping[str, Any]) -> int:
    """Return the index of the target's clip among those that the network was trained on; 0 without a target."""
    clips: Sequence[str] = trained_on.get("clip_sha256", ())
    return clips.index(target.info.clip_sha256) if target is not None and clips else 0


def _load_exported(file: Path, target: Track | None, precision: Precision, compiled: bool) -> OnnxGenerator:
    if file.suffix == ".pt2":
        raise ReenactError(
            f"{file} is not run here, because loading a .pt2 runs whatever code it holds: give the checkpoint, or export that "
            "to .onnx"
        )
    if compiled or precision == "bfloat16":
        raise ReenactError(f"{file} runs in ONNX Runtime, in float32: leave out --compile and --precision bfloat16")
    generator = OnnxGenerator(file)
    if generator.description.clip_sha256:
        _check_target(file, target, generator.description.source, generator.description.clip_sha256)
    return generator


def _check_target(checkpoint: Path, target: Track | None, sources: Sequence[str], clips: Sequence[str]) -> None:
    if target is not None and target.info.clip_sha256 not in clips:
        raise ReenactError(f"{checkpoint} was trained on {', '.join(sources)}, not on {target.info.source}: give its own target")


@torch.inference_mode()
def render_frames(
    generator: Generator,
    renderer: Renderer,
    parameters: FaceParameters,
    cuts: tuple[int, ...] = (),
    batch: int = BATCH,
    first: int = 0,
    references: PlaceReferences | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Generate a frame for each row of ``parameters``, in order.

    Args:
        generator: trained generator.
        renderer: renderer of the target's conditioning images, of the kinds that the generator was trained on.
        parameters: face parameters of T frames.
        cuts: first frame after every cut; no window reaches over one.
        batch: frames generated at a time.
        first: frame to begin with, in [0, T]; the frames are those of a run from frame 0, bit for bit.
        references: function that places the target's key frames (``target_references``); None for a network without them.

    Yields:
        Chunks of N <= ``batch`` frames: the generated frames, uint8 (N, H, W, 3), and their K conditioning images,
        uint8 (N, 3 K, H, W).

    Raises:
        ReenactError: the conditioning images have another size than the generator was trained on.
    """
    for start, stop in shots(cuts, len(parameters)):
        if stop > first:
            yield from _render_shot(generator, renderer, parameters[start:stop], batch, max(0, first - start), references)


def _render_shot(
    generator: Generator,
    renderer: Renderer,
    parameters: FaceParameters,
    batch: int,
    first: int,
    references: PlaceReferences | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Generate the frames of one shot from ``first`` on; windows repeat its first and last frame beyond its ends."""
    shape, count = generator.shape, len(parameters)
    conditioning = _ConditioningStream(generator, renderer, parameters)
    memory = WindowMemory()
    for start in range(first // batch * batch, count, batch):  # frames of the same batches as in a run from the start
        stop = min(start + batch, count)
        oldest, end = max(0, start - shape.before), min(stop + shape.after, count)  # images that the windows show
        images = conditioning.between(oldest, end)
        in_window = shape.frames(torch.arange(start, stop), 0, count - 1) - oldest  # (N, N_w)
        windows = stack_windows(images, in_window.to(images.device), memory)
        placed = None if references is None else references(parameters[start:stop])
        output = generator(windows, None, placed)  # (N, 3, H, W) in [-1, 1]
        frames = ((output + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        wanted = slice(max(0, first - start), None)  # the first batch may begin before ``first``
        yield frames[wanted].cpu(), images[start - oldest : stop - oldest][wanted].cpu()


class _ConditioningStream:
    """Conditioning images of a shot, each rendered once and dropped as soon as no later window shows it."""

    def __init__(self, generator: Generator, renderer: Renderer, parameters: FaceParameters) -> None:
        self._renderer, self._parameters, self._size = renderer, parameters, generator.image_size
        self._device = next(generator.parameters()).device
        channels = conditioning_channels(generator.conditioning)
        self._images = torch.empty(0, channels, self._size, self._size, dtype=torch.uint8, device=self._device)
        self._oldest = 0

    def between(self, oldest: int, end: int) -> Tensor:
        """Return the images of frames ``oldest`` to ``end`` - 1, uint8 (U, C, H, W); neither may decrease from call to call."""
        images = self._images[oldest - self._oldest :]
        new = self._renderer(self._parameters[oldest + len(images) : end]).to(self._device)
        if new.shape[-1] != self._size:
            raise ReenactError(f"the generator makes frames of {self._size} pixels, the conditioning images have {new.shape[-1]}")
        self._images, self._oldest = torch.cat([images, new]), oldest
        return self._images
