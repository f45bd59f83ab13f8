"""A generator whose forward pass ``torch.compile`` has made faster."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import References
from lit_reenact.networks.generator import Generator

BATCH = 8
"""Windows in a batch of the compiled network. It is compiled for this number alone, as every other would be compiled again."""


def compile_generator(generator: Generator) -> None:
    """Compile a generator in place; it is for synthesis alone from then on.

    The forward pass still takes any number of windows: they are split into batches of ``BATCH``, and the last one is filled up.

    Raises:
        ReenactError: at the first frames, if there is no compiler or it fails.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to load

    on_gpu = next(generator.parameters()).device.type == "cuda"
    compiled = torch.compile(generator.forward, dynamic=False, mode="reduce-overhead" if on_gpu else "default")

    def forward(
        conditioning: Tensor,
        base: Tensor | None = None,
        references: References | None = None,
        actor: Tensor | None = None,
    ) -> Tensor:
        frames = []
        for start in range(0, len(conditioning), BATCH):
            rows = torch.arange(start, start + BATCH, device=conditioning.device).clamp(max=len(conditioning) - 1)
            placed = None if references is None else References(references.images, *(each[rows] for each in references[1:]))
            frame, person = (None if each is None else each[rows] for each in (base, actor))
            try:
                generated = compiled(conditioning[rows], frame, placed, person)
            except TorchDynamoException as error:
                reason = str(error).strip().splitlines()[0]
                raise ReenactError(
                    f"the generator cannot be compiled ({reason}): install a C++ compiler, for a GPU Triton too, or do without"
                ) from error
            frames.append(generated[: len(conditioning) - start].clone())  # CUDA graphs write the next frames over these
        return torch.cat(frames)

    generator.forward = forward  # type: ignore[method-assign]
