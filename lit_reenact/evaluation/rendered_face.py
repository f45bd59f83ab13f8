"""The baseline after Face2Face (Thies et al. 2016): the nearest training frame keeps its head and gets a rendered face."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from lit_reenact.core.schema import CONDITIONING_CHANNELS, EMPTY, FaceParameters
from lit_reenact.evaluation.baselines import NearestFrame
from lit_reenact.rendering.conditioning import ConditioningRenderer

FEATHER = 1 / 40
"""Width of the border over which the rendered face fades out, as a share of the image's side."""

TINT = 1 / 12
"""Radius over which colour differences between rendering and frame are smoothed, as a share of the image's side."""


class RenderedFace(NearestFrame):
    """The nearest frame with a rendered face: the frame's own head pose and light, the wanted expression.

    The reflectance is the actor's. Colours that the model cannot show (shadows, a blush) come from the frame: the difference
    between the frame and the rendering of its own expression is smoothed and added. Eyes stay the frame's; teeth are the model's.
    Face2Face itself searches the video for a mouth, and refines albedo and light per pixel.
    """

    def _adapt(self, frames: Tensor, own: FaceParameters, wanted: FaceParameters) -> Tensor:
        size = frames.shape[1]
        renderer = ConditioningRenderer(self._model, self._actor, self._camera, size)
        images = frames.permute(0, 3, 1, 2).float()
        before, shown_before = _skin(renderer, own)
        after, shown = _skin(renderer, own.replace(expression=wanted.expression))
        share = _blur(shown_before, TINT * size)
        tint = _blur((images - before) * shown_before, TINT * size) / share.clamp_min(1e-3)
        opacity = (2 * _blur(shown, FEATHER * size) - 1).clamp(0, 1)  # 0 at the edge
        blended = torch.lerp(images, (after + tint).clamp(0, 255), opacity)
        return blended.round().to(torch.uint8).permute(0, 2, 3, 1)


def _skin(renderer: ConditioningRenderer, parameters: FaceParameters) -> tuple[Tensor, Tensor]:
    """Return rendered colours, float32 (N, 3, H, W) in levels of 255, and 1 where they show skin, not eyes: (N, 1, H, W)."""
    drawn = renderer.draw(parameters)
    colour, eyes, region = drawn[:, :3], drawn[:, 6:CONDITIONING_CHANNELS], drawn[:, CONDITIONING_CHANNELS:]
    shown = (region != EMPTY) & ~(eyes > 0).any(1, keepdim=True)
    return colour.float(), shown.float()


def _blur(images: Tensor, reach: float) -> Tensor:
    """Blur images by two box filters that reach ``reach`` pixels to either side, on a coarser grid where that is far."""
    step = max(1, int(reach / 4))
    coarse, side = avg_pool2d(images, step, ceil_mode=True), round(reach / step)
    for _ in range(2):
        coarse = avg_pool2d(coarse, (2 * side + 1, 1), 1, (side, 0), count_include_pad=False)
        coarse = avg_pool2d(coarse, (1, 2 * side + 1), 1, (0, side), count_include_pad=False)
    return coarse if step == 1 else interpolate(coarse, size=images.shape[2:], mode="bilinear", align_corners=False)
