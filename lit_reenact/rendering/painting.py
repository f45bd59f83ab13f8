"""Painting of a scene: lit and textured skin, the view between lids and lips, and the label of each pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, grid_sample, one_hot

from lit_reenact.core.schema import CONDITIONING_CHANNELS, EMPTY
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, OPENINGS
from lit_reenact.rendering import backend
from lit_reenact.rendering.eyeballs import eye_colours
from lit_reenact.rendering.openings import look_into_mouth
from lit_reenact.rendering.rasterizer import images_per_chunk, interpolate_hits
from lit_reenact.rendering.scene import FIRST_SAMPLE, SAMPLES, Scene, Surface
from lit_reenact.rendering.supersampling import Patches, find_patches


def paint(surface: Surface, scene: Scene, images: Tensor) -> None:
    """Paint the conditioning images of T frames, and in the last channel the label that most samples of each pixel show.

    Samples of one pixel that show the same triangle of skin are painted as one, those between lids and lips one by one.

    Args:
        surface: surface of the person.
        scene: the frames.
        images: uint8 (T, H, W, CONDITIONING_CHANNELS + 1), output; 0 where empty.
    """
    if (compiled := backend.kernels(scene.points.device)) is not None:
        compiled.paint(surface, scene, images)
        return
    images.zero_()
    step = images_per_chunk(scene.camera.height, scene.camera.width, images.device)
    for start in range(0, len(scene), step):
        _paint(surface, scene[start : start + step], images[start : start + step])


def _paint(surface: Surface, scene: Scene, images: Tensor) -> None:
    """Paint some frames into images (T, H, W, CONDITIONING_CHANNELS + 1) of zeros."""
    height, width = images.shape[1:3]
    region = surface.region
    opens = (region == EYE_LEFT) | (region == EYE_RIGHT) | (region == MOUTH)
    patches = find_patches(scene.points, surface.faces, opens, height, width, SAMPLES)
    values = shade_patches(patches, scene.attributes, surface.faces, surface.reflectance, height * width)  # (P, 9)
    _show_openings(values, patches, surface, scene)
    pixels, channels = _merge(values, patches, surface.label)
    images.view(-1, images.shape[-1]).index_copy_(0, pixels, channels)


def shade_patches(patches: Patches, attributes: Tensor, faces: Tensor, texture: Tensor, image_pixels: int) -> Tensor:
    """Return the colours of a lit and textured mesh.

    Args:
        patches: P patches of B images.
        attributes: (B, V, 8), ``Scene.attributes``.
        faces: int64 (F, 3), the triangles that were rasterized.
        texture: (3, H, W), reflectance in [0, 1].
        image_pixels: number of pixels of one image.

    Returns:
        (P, 9): light times reflectance in [0, 1]; correspondence colour; and 0, as skin is no part of the eyes.
    """
    spread = interpolate_hits(patches.hits(), attributes, faces, image_pixels)  # (P, 8)
    grid = (spread[:, 6:] * 2 - 1)[None, None]  # (1, 1, P, 2)
    albedo = grid_sample(texture[None], grid, padding_mode="border", align_corners=False)[0, :, 0]  # (3, P)
    values = spread.new_zeros(len(spread), CONDITIONING_CHANNELS)
    torch.mul(albedo.T, spread[:, :3], out=values[:, :3]).clamp_(0, 1)
    values[:, 3:6] = spread[:, 3:6]
    return values


def _show_openings(values: Tensor, patches: Patches, surface: Surface, scene: Scene) -> None:
    """Mix eyeballs and the inside of the mouth into the values (P, 9) of patches between lids and lips."""
    region = surface.region.index_select(0, patches.triangle)  # (P,)
    samples = scene.camera.height * scene.camera.width
    for opening, label in enumerate(OPENINGS):
        between = (region == label).nonzero().squeeze(-1)  # (Q,)
        if not len(between):
            continue
        frame, shut = patches.sample[between] // samples, values[between]
        if label == MOUTH:
            behind = torch.cat([torch.zeros_like(shut[:, :3]), shut[:, 3:]], 1)
            shape = (len(scene), scene.camera.height, scene.camera.width)
            inside, inner = look_into_mouth(patches.sample[between], shape, scene.points, scene.attributes[..., :6], surface)
            behind[inside, :6] = inner.clamp(0, 1)
        else:
            behind = torch.zeros_like(shut)
            behind[:, 6:] = eye_colours(surface, scene, opening, frame, patches.place[between])
        values[between] = torch.lerp(shut, behind, scene.openness[frame, opening, None])


def _merge(values: Tensor, patches: Patches, label: Tensor) -> tuple[Tensor, Tensor]:
    """Average the values (P, 9) of the patches of each pixel and elect its label.

    Returns:
        C covered pixels, flat indices int64 (C,), and their channels, uint8 (C, 10).
    """
    values *= 255 * patches.count[:, None]
    votes = one_hot(label.long(), 4).float().index_select(0, patches.triangle)
    votes *= (patches.count + FIRST_SAMPLE * patches.leads)[:, None]
    first = (patches.pixel.diff(prepend=patches.pixel.new_tensor([-1])) != 0).nonzero().squeeze(-1)  # (C,) of each pixel
    every = torch.arange(len(values), device=values.device)
    sums = embedding_bag(every, torch.cat([values, votes], 1), first, mode="sum")  # (C, 13)
    colours, votes = sums[:, :CONDITIONING_CHANNELS].div_(SAMPLES**2).round_(), sums[:, CONDITIONING_CHANNELS:]
    votes[:, EMPTY] += SAMPLES**2 + FIRST_SAMPLE - votes.sum(1)
    channels = torch.cat([colours, votes.argmax(1, keepdim=True)], 1).to(torch.uint8)
    return patches.pixel[first], channels
