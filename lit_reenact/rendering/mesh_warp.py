"""Warping of frames by the face mesh, from one pose and expression to another: a baseline without a network."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import warp_by_flow
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face.model import FaceModel
from lit_reenact.rendering import rasterizer
from lit_reenact.rendering.spreading import spread
from lit_reenact.rendering.vertices import project_mesh


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
        old, new = (project_mesh(self.model, self.actor, camera, parameters) for parameters in (current, desired))
        fragments = rasterizer.rasterize(new, self.model.faces, height, width)
        back = rasterizer.interpolate(fragments, (old - new)[..., :2].contiguous(), self.model.faces)  # (N, 2, H, W)
        images = frames.permute(0, 3, 1, 2).float()
        warped = warp_by_flow(images, spread(back, (fragments.triangle >= 0)[:, None]))
        return warped.round().to(torch.uint8).permute(0, 2, 3, 1)
