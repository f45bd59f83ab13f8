"""Warping of frames by the face mesh, from one pose and expression to another: a baseline without a network."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from lit_reenact.core.geometry import head_to_camera, project, warp_by_flow
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face.model import FaceModel
from lit_reenact.rendering import rasterizer

COARSEST = 8
"""Side of the smallest grid that a displacement is spread over, pixels."""

SWEEPS, FINE_SWEEPS, FINE = 20, 4, 64
"""Relaxations on each grid, and on grids with a side above ``FINE`` pixels, which start from a nearly right result."""


class MeshWarp:
    """Warp that moves every triangle of a tracked face to its place under other parameters.

    The surroundings of the face follow smoothly, and less with growing distance; the border of the image stays. Nothing is drawn
    that the frame does not show: the inside of a mouth that was shut is the gap between its lips, pulled wide.

    Args:
        model: face model of the track.
        actor: the person.
        camera: camera of the clip; the frames may have another size.

    Example:
        >>> warp = MeshWarp(model, track.actor, track.camera)
        >>> warp(frames, track.parameters, edited)  # uint8 (N, H, W, 3)
    """

    def __init__(self, model: FaceModel, actor: Actor, camera: Camera) -> None:
        self.model, self.actor, self.camera = model, actor, camera

    def __call__(self, frames: Tensor, current: FaceParameters, desired: FaceParameters) -> Tensor:
        """Warp frames from their parameters to others.

        Args:
            frames: uint8 (N, H, W, 3).
            current: parameters of the N frames.
            desired: parameters that the result shows, N frames.

        Returns:
            uint8 (N, H, W, 3).
        """
        height, width = frames.shape[1:3]
        camera = self.camera.resize(width)
        old, new = self._project(current, camera), self._project(desired, camera)
        fragments = rasterizer.rasterize(new, self.model.faces, height, width)
        back = rasterizer.interpolate(fragments, (old - new)[..., :2].contiguous(), self.model.faces)  # (N, 2, H, W)
        images = frames.permute(0, 3, 1, 2).float()
        warped = warp_by_flow(images, spread(back, (fragments.triangle >= 0)[:, None]))
        return warped.round().to(torch.uint8).permute(0, 2, 3, 1)

    def _project(self, parameters: FaceParameters, camera: Camera) -> Tensor:
        """Return the mesh in the image, (N, V, 3): x and y in pixels, depth in mm."""
        mesh = self.model.mesh(self.actor, parameters)
        return project(head_to_camera(mesh, parameters.rotation, parameters.translation), camera)


def spread(values: Tensor, known: Tensor) -> Tensor:
    """Continue values smoothly from known pixels to 0 at the border of the image.

    Every other pixel becomes nearly the mean of its neighbours (the harmonic continuation), computed on ever finer grids.

    Args:
        values: (N, C, H, W).
        known: bool (N, 1, H, W), pixels whose values are kept.

    Returns:
        (N, C, H, W).
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
        padded = pad(result, (1, 1, 1, 1))  # beyond the border nothing moves
        around = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
        around.add_(padded[..., :-2, 1:-1]).add_(padded[..., 2:, 1:-1]).div_(4)
        result = torch.where(known, values, around)
    return result
