"""Frames bent by the face mesh: what shows one pose and expression made to show another, pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from lit_reenact.core.geometry import head_to_camera, project, warp_by_flow
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face.model import FaceModel
from lit_reenact.rendering import rasterizer

COARSEST = 8
"""Side of the smallest grid that a displacement is spread over."""

SWEEPS, FINE_SWEEPS, FINE = 20, 4, 64
"""Relaxations on each grid; on those finer than ``FINE`` fewer, for what comes from the coarser ones is nearly right there."""


class MeshWarp:
    """Moves each triangle of a tracked face to where another one has it.

    What lies about the face follows smoothly, and less the farther away it is; the border of the picture stays. Nothing is
    drawn that the frame does not show: the inside of a mouth that was shut is the gap between its lips, pulled wide.

    Args:
        model: the face model of the track.
        actor: the person.
        camera: of the clip, whatever size the frames have.
    """

    def __init__(self, model: FaceModel, actor: Actor, camera: Camera) -> None:
        self.model, self.actor, self.camera = model, actor, camera

    def __call__(self, frames: Tensor, found: FaceParameters, wanted: FaceParameters) -> Tensor:
        """Frames uint8 (N, H, W, 3) that show ``found``, made to show ``wanted``."""
        height, width = frames.shape[1:3]
        camera = self.camera.resize(width)
        old, new = self._places(found, camera), self._places(wanted, camera)
        fragments = rasterizer.rasterize(new, self.model.faces, height, width)
        back = rasterizer.interpolate(fragments, (old - new)[..., :2].contiguous(), self.model.faces)  # (N, 2, H, W)
        images = frames.permute(0, 3, 1, 2).float()
        moved = warp_by_flow(images, spread(back, (fragments.triangle >= 0)[:, None]))
        return moved.round().to(torch.uint8).permute(0, 2, 3, 1)

    def _places(self, parameters: FaceParameters, camera: Camera) -> Tensor:
        """The mesh in the picture, (N, V, 3) pixels and depth."""
        mesh = self.model.mesh(self.actor, parameters)
        return project(head_to_camera(mesh, parameters.rotation, parameters.translation), camera)


def spread(values: Tensor, known: Tensor) -> Tensor:
    """Continue values (N, C, H, W) smoothly from where they are known, bool (N, 1, H, W), to 0 at the border of the image.

    The mean of its neighbours in every other pixel (the harmonic continuation), nearly: found on ever finer grids.
    """
    height, width = values.shape[2:]
    values = values * known
    if min(height, width) > COARSEST:
        share = avg_pool2d(known.float(), 2, ceil_mode=True)
        coarse = avg_pool2d(values, 2, ceil_mode=True) / share.clamp_min(1e-6)
        start = interpolate(spread(coarse, share > 0), size=(height, width), mode="bilinear", align_corners=False)
    else:
        start = torch.zeros_like(values)
    result = torch.where(known, values, start)
    for _ in range(SWEEPS if min(height, width) <= FINE else FINE_SWEEPS):
        framed = pad(result, (1, 1, 1, 1))  # beyond the border nothing moves
        around = framed[..., 1:-1, :-2] + framed[..., 1:-1, 2:]
        around.add_(framed[..., :-2, 1:-1]).add_(framed[..., 2:, 1:-1]).div_(4)
        result = torch.where(known, values, around)
    return result
