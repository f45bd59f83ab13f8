"""Origin of generated pixels: the share of each that a blend generator takes from each source, and a picture of the shares."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.networks.blend_generator import BlendGenerator
from lit_reenact.networks.windows import WindowMemory, stack_windows
from lit_reenact.synthesis.compiled_generator import BATCH
from lit_reenact.synthesis.generated_frames import target_references, target_renderer
from lit_reenact.video.cuts import shots

Colour = tuple[int, int, int]
"""Red, green and blue, levels of 255."""

KEY_FRAME_COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (240, 228, 66),
    (0, 158, 115),
    (86, 180, 233),
    (204, 121, 167),
    (230, 159, 0),
)
"""Colours of the key frames, in their order; a seventh has the first's again. With those of the mean frame and of painting they
are the eight that Okabe and Ito (2008) chose so that people with any kind of colour vision tell them apart."""

MEAN_FRAME_COLOUR: Colour = (0, 0, 0)
PLATE_COLOUR: Colour = (190, 190, 190)
PAINTED_COLOUR: Colour = (213, 94, 0)


def origin_colours(references: int) -> dict[str, Colour]:
    """Return the colour of each source of pixels by its name, in the order of ``Blend.shares``.

    Args:
        references: number of key frames.
    """
    key_frames = {f"key frame {k + 1}": KEY_FRAME_COLOURS[k % len(KEY_FRAME_COLOURS)] for k in range(references)}
    return {**key_frames, "mean frame": MEAN_FRAME_COLOUR, "background plate": PLATE_COLOUR, "painted": PAINTED_COLOUR}


def origin_picture(shares: Tensor) -> Tensor:
    """Draw each pixel in the colours of its sources, mixed by their shares.

    Args:
        shares: float32 (N, K + 3, H, W), by the rules of ``Blend.shares``.

    Returns:
        uint8 (N, H, W, 3).
    """
    colours = torch.tensor(list(origin_colours(shares.shape[1] - 3).values()), dtype=torch.float32, device=shares.device)
    return torch.einsum("nkhw,kc->nhwc", shares, colours).round().clamp(0, 255).to(torch.uint8)


@torch.inference_mode()
def trace_pixels(
    generator: BlendGenerator, target: Track, parameters: FaceParameters, numbers: Tensor, cuts: tuple[int, ...] = ()
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield some frames' numbers (N,) with their shares, float32 (N, K + 3, S, S) on the CPU, a few frames at a time.

    Args:
        generator: network trained on the target's clip.
        target: track of the person that is shown.
        parameters: face parameters of all T frames of the video.
        numbers: int64 (M,) numbers of the wanted frames, in [0, T); the others are not generated.
        cuts: first frame after every cut; no window reaches over one.
    """
    renderer, place = target_renderer(target, generator), target_references(target, generator)
    assert place is not None  # a blend generator has key frames
    starts, stops = torch.tensor(shots(cuts, len(parameters))).T.contiguous()
    for chosen in torch.split(numbers, BATCH):
        shot = torch.bucketize(chosen, stops, right=True)
        windowed = generator.shape.frames(chosen, starts[shot], stops[shot] - 1)  # (N, N_w)
        shown, in_window = torch.unique(windowed, return_inverse=True)
        images = renderer(parameters[shown]).to(next(generator.parameters()).device)
        windows = stack_windows(images, in_window.to(images.device), WindowMemory())
        yield chosen, generator.blend(windows, None, place(parameters[chosen])).shares.cpu()
