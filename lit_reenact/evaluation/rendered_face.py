"""After Face2Face (Thies et al. 2016): the nearest training frame keeps its head and gets a rendered face."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from lit_reenact.core.schema import CONDITIONING_CHANNELS, EMPTY, FaceParameters
from lit_reenact.evaluation.baselines import NearestFrame
from lit_reenact.rendering.conditioning import ConditioningRenderer

FEATHER = 1 / 40
"""Over how much of the image's side the rendered face fades out towards its edge."""

TINT = 1 / 12
"""How far differences in colour between the rendering and the frame are smoothed, of the image's side."""


class RenderedFace(NearestFrame):
    """The nearest frame with its face painted over: its own head pose and light, the actor's reflectance, the wanted expression.

    What colours the model cannot say (shadows, a blush) is taken from the frame, smoothed, for the rendering of the frame's own
    expression tells what is missing. Eyes stay the frame's; teeth are the model's. Face2Face itself looks for a mouth in the
    video, and refines albedo and light per pixel.
    """

    def _fitted(self, frames: Tensor, found: FaceParameters, wanted: FaceParameters) -> Tensor:
        size = frames.shape[1]
        renderer = ConditioningRenderer(self._model, self._actor, self._camera, size)
        images = frames.permute(0, 3, 1, 2).float()
        before, shown_before = _skin(renderer, found)
        after, shown = _skin(renderer, found.replace(expression=wanted.expression))
        share = _blurred(shown_before, TINT * size)
        tint = _blurred((images - before) * shown_before, TINT * size) / share.clamp_min(1e-3)
        opacity = (2 * _blurred(shown, FEATHER * size) - 1).clamp(0, 1)  # 0 at the edge
        blended = torch.lerp(images, (after + tint).clamp(0, 255), opacity)
        return blended.round().to(torch.uint8).permute(0, 2, 3, 1)


def _skin(renderer: ConditioningRenderer, parameters: FaceParameters) -> tuple[Tensor, Tensor]:
    """The rendered colours of faces, float32 (N, 3, H, W) in levels of 255, and 1 where they are, not eyes: (N, 1, H, W)."""
    drawn = renderer.draw(parameters)
    colour, eyes, region = drawn[:, :3], drawn[:, 6:CONDITIONING_CHANNELS], drawn[:, CONDITIONING_CHANNELS:]
    shown = (region != EMPTY) & ~(eyes > 0).any(1, keepdim=True)
    return colour.float(), shown.float()


def _blurred(images: Tensor, reach: float) -> Tensor:
    """Twice the mean over squares that reach so many pixels to either side; on a coarser grid where that is far."""
    step = max(1, int(reach / 4))
    coarse, side = avg_pool2d(images, step, ceil_mode=True), round(reach / step)
    for _ in range(2):
        coarse = avg_pool2d(coarse, (2 * side + 1, 1), 1, (side, 0), count_include_pad=False)
        coarse = avg_pool2d(coarse, (1, 2 * side + 1), 1, (0, side), count_include_pad=False)
    return coarse if step == 1 else interpolate(coarse, size=images.shape[2:], mode="bilinear", align_corners=False)
