"""The reflectance texture of a person, learned from training frames of a tracked clip, with hair and glasses filled in."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.parallel import map_in_threads
from lit_reenact.tracking import energy, photometric, skin_samples
from lit_reenact.tracking.complexion import believed_albedo
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.skin_colour import SKIN_LIMIT, Normal, find_eye_region, find_features, find_glasses, to_logarithm
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.tracked_skin import TrackedSkin, training_spread

MIN_SHARE = 0.2
"""Share of the usual weight of a point below which its reflectance is at least partly filled in from its neighbours."""

_TEXELS = 4096  # whose reflectance is learned at once


def learn_reflectance(skin: TrackedSkin, light: Tensor, colour: Normal, timing: Timing, settings: TrackerSettings) -> Tensor:
    """Learn the texture (3, S, S) of a person in [0, 1].

    Args:
        skin: skin of the tracked clip.
        light: (T, 27) light of its frames.
        colour: distribution of the person's bare skin, in logarithms.
        timing: which of the T frames are seen, valid, repeated, and used for training.
        settings: settings of the tracker.
    """
    texels, points = skin_samples.skin_texels(skin.model, settings.texture_size)
    numbers = training_spread(timing, settings.texture_frames)
    feature = find_features(skin.model, points)
    samples, runs = skin.sample(points, numbers), [slice(k, k + _TEXELS) for k in range(0, len(feature), _TEXELS)]
    learned = map_in_threads(lambda run: believed_albedo(samples[run], light[numbers], colour, feature[run]), runs)
    albedo, reliable, share = (torch.cat(parts) for parts in zip(*learned, strict=True))
    share = share * reliable
    bare = (share > MIN_SHARE * share.median()) & ~feature
    maps = torch.stack([*albedo.T, bare.float(), find_eye_region(skin.model, points).float()], -1)
    maps = on_texture(maps, texels, settings.texture_size)
    worn = find_glasses(maps[:3], maps[3] > 0, maps[4] > 0).flatten()[texels]
    likeness = energy.geman_mcclure_weight(colour.distance(to_logarithm(albedo))[:, None], SKIN_LIMIT / 2)
    return paint(albedo, share * ~worn, likeness, texels, settings.texture_size)


def on_texture(values: Tensor, texels: Tensor, size: int) -> Tensor:
    """Put values (N, C) at flat texels (N,) of a texture (C, S, S) that is 0 elsewhere."""
    texture = values.new_zeros(values.shape[1], size * size)
    texture[:, texels] = values.T
    return texture.view(-1, size, size)


def paint(albedo: Tensor, share: Tensor, likeness: Tensor, texels: Tensor, size: int) -> Tensor:
    """Paint a texture (3, S, S), with texels that were hardly seen filled in.

    The fill comes from texels like the person's skin where there are any: hair at the edge of the face must not spread over the
    head.

    Args:
        albedo: (N, 3) colours.
        share: (N,) believed weight of each colour; a small one is filled in.
        likeness: (N,) in (0, 1], likeness of each colour to the person's skin.
        texels: int64 (N,) flat indices of the texels.
        size: side S of the texture.
    """
    weight = (share / (MIN_SHARE * share[share > 0].median()).clamp_min(1e-6)).clamp(0, 1)
    maps = on_texture(torch.stack([*albedo.T, weight, weight * likeness], -1), texels, size)
    filled = photometric.fill_holes(maps[:3], maps[4])
    return torch.lerp(filled, maps[:3], maps[3])
