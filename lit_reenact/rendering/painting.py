"""From a scene to the images of its frames: lit and textured skin, what is seen between lids and lips, and what each pixel is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, grid_sample, one_hot

from lit_reenact.core.schema import CONDITIONING_CHANNELS, EMPTY
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, OPENINGS
from lit_reenact.rendering import backend
from lit_reenact.rendering.eyeballs import eye_colours
from lit_reenact.rendering.openings import inside_mouth
from lit_reenact.rendering.rasterizer import frames_at_once, interpolate_hits
from lit_reenact.rendering.scene import FIRST_SAMPLE, SAMPLES, Scene, Surface
from lit_reenact.rendering.supersampling import Patches, find_patches


def paint(surface: Surface, scene: Scene, images: Tensor) -> None:
    """Paint the conditioning images of T frames, and last what most samples of each pixel show, by ``Surface.label``.

    Samples of one pixel that show the same triangle of skin are painted as one; those between lids and lips each by itself.

    Args:
        surface: the person.
        scene: the frames.
        images: uint8 (T, H, W, CONDITIONING_CHANNELS + 1), whatever they hold; become 0 where empty.
    """
    if (compiled := backend.kernels(scene.points.device)) is not None:
        compiled.paint(surface, scene, images)
        return
    images.zero_()
    step = frames_at_once(scene.camera.height, scene.camera.width, images.device)
    for start in range(0, len(scene), step):
        _paint(surface, scene[start : start + step], images[start : start + step])


def _paint(surface: Surface, scene: Scene, images: Tensor) -> None:
    """Paint some frames into (T, H, W, CONDITIONING_CHANNELS + 1)."""
    region = surface.region
    opens = (region == EYE_LEFT) | (region == EYE_RIGHT) | (region == MOUTH)
    patches = find_patches(scene.points, surface.faces, opens, images.shape[1], images.shape[2], SAMPLES)
    pixels = images.shape[1] * images.shape[2]
    values = textured(patches, scene.attributes, surface.faces, surface.reflectance, pixels)  # (P, 9)
    _show_openings(values, patches, surface, scene)

    values *= 255 * patches.count[:, None]
    votes = one_hot(surface.label.long(), 4).float().index_select(0, patches.triangle)
    votes *= (patches.count + FIRST_SAMPLE * patches.leads)[:, None]
    first = (patches.pixel.diff(prepend=patches.pixel.new_tensor([-1])) != 0).nonzero().squeeze(-1)  # (C,) of each pixel
    every = torch.arange(len(values), device=values.device)
    sums = embedding_bag(every, torch.cat([values, votes], 1), first, mode="sum")  # (C, 13)
    colours, votes = sums[:, :CONDITIONING_CHANNELS].div_(SAMPLES**2).round_(), sums[:, CONDITIONING_CHANNELS:]
    votes[:, EMPTY] += SAMPLES**2 + FIRST_SAMPLE - votes.sum(1)
    shown = torch.cat([colours, votes.argmax(1, keepdim=True)], 1).to(torch.uint8)
    images.view(-1, images.shape[-1]).index_copy_(0, patches.pixel[first], shown)


def textured(patches: Patches, attributes: Tensor, faces: Tensor, texture: Tensor, image_pixels: int) -> Tensor:
    """What a lit and textured mesh shows.

    Args:
        patches: P in B images.
        attributes: (B, V, 8), those of ``Scene``.
        faces: int64 (F, 3), those that were rasterised.
        texture: (3, H, W) reflectance.
        image_pixels: of each of the B images.

    Returns:
        (P, 9) light times reflectance, within [0, 1]; the other colour; and 0, for skin is nothing of the eyes.
    """
    spread = interpolate_hits(patches.hits(), attributes, faces, image_pixels)  # (P, 8)
    grid = (spread[:, 6:] * 2 - 1)[None, None]  # (1, 1, P, 2)
    albedo = grid_sample(texture[None], grid, padding_mode="border", align_corners=False)[0, :, 0]  # (3, P)
    values = spread.new_zeros(len(spread), CONDITIONING_CHANNELS)
    torch.mul(albedo.T, spread[:, :3], out=values[:, :3]).clamp_(0, 1)
    values[:, 3:6] = spread[:, 3:6]
    return values


def _show_openings(values: Tensor, patches: Patches, surface: Surface, scene: Scene) -> None:
    """Mix into the values (P, 9) of patches between lids and lips what is seen there."""
    region = surface.region.index_select(0, patches.triangle)  # (P,)
    samples = scene.camera.height * scene.camera.width
    for opening, label in enumerate(OPENINGS):
        seen = (region == label).nonzero().squeeze(-1)  # (Q,)
        if not len(seen):
            continue
        frame, shut = patches.sample[seen] // samples, values[seen]
        if label == MOUTH:
            behind = torch.cat([torch.zeros_like(shut[:, :3]), shut[:, 3:]], 1)
            shape = (len(scene), scene.camera.height, scene.camera.width)
            shown, inner = inside_mouth(patches.sample[seen], shape, scene.points, scene.attributes[..., :6], surface)
            behind[shown, :6] = inner.clamp(0, 1)
        else:
            behind = torch.zeros_like(shut)
            behind[:, 6:] = eye_colours(surface, scene, opening, frame, patches.place[seen])
        values[seen] = torch.lerp(shut, behind, scene.openness[frame, opening, None])
