"""Finding a person's hair in frames, and drawing bare skin or the background in its place."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import FaceModel
from lit_reenact.landmarks.person import Mask, PersonSegmenter, grow, shrink
from lit_reenact.synthesis.hair.anatomy import Anatomy, fit_skull
from lit_reenact.tracking.background import recover_background
from lit_reenact.tracking.photometric import fill_holes
from lit_reenact.tracking.shape import spread_evenly
from lit_reenact.tracking.skin_colour import Normal, fit_core
from lit_reenact.video import FrameReader, resize_frames

TRAINING_FRAMES = 48
"""Number of frames of the clip from which background and colours are learned."""

MARGIN = 1 / 40
"""Margin around the person's mask, as a fraction of the image's side, for loose hair and its blur."""

FEATHER = 1 / 200
"""Standard deviation of the soft border between kept and drawn pixels, as a fraction of the image's side."""

MIN_DEVIATION = 0.03
"""Smallest standard deviation of the colours of skin or hair, where 1 is white: none is assumed to be more even."""

MAX_DISTANCE = 4.0
"""Largest distance of a pixel's colour from the usual skin or hair, in standard deviations."""

MAX_CLOTHES = 0.2
"""Fraction of the strip below the chin with hair's colour above which the clothes are assumed to have that colour."""

GAIN = (0.5, 2.0)
"""Limits of the factor that matches the colours of a drawing to those of a frame."""


class HairRemover:
    """Removes the hair from frames of one person.

    Args:
        model: face model of the track.
        track: track of the clip that background and colours are learned from.
        reader: frames of that clip.
        size: side S of the frames to be changed, in pixels.

    Example:
        >>> remover = HairRemover(load_face_model(track.info.face_model), track, clip.frames, size=256)
        >>> bald = remover(frames, track.parameters[:8])  # frames: uint8 (8, 256, 256, 3)
    """

    def __init__(self, model: FaceModel, track: Track, reader: FrameReader, size: int) -> None:
        self.margin = max(1, round(MARGIN * size))
        self.person = PersonSegmenter()
        self._feather = FEATHER * size
        valid = track.valid.nonzero().squeeze(1)
        numbers = valid[spread_evenly(len(valid), TRAINING_FRAMES)]
        frames = resize_frames(reader.read(numbers.tolist()), size)
        person = self.person(frames)
        self.plate = recover_background(frames, grow(person, 2 * self.margin))
        parameters = track.parameters[numbers]
        self.anatomy = fit_skull(model, track.actor, track.camera, size, parameters, person)
        self._learn_colours(frames, person, self.anatomy(parameters))

    def _learn_colours(self, frames: Tensor, person: Tensor, anatomy: Anatomy) -> None:
        """Learn the colours of skin and, if there is any above the face, of hair, and whether the clothes have other colours."""
        colours = frames.float() / 255
        self._skin = fit_core(colours[anatomy.features & person], MIN_DEVIATION)
        crown = colours[person & anatomy.on_top & ~anatomy.face & (self._skin.distance(colours) > MAX_DISTANCE)]
        self._hair: Normal | None = fit_core(crown, MIN_DEVIATION) if len(crown) > frames.shape[1] else None
        throat = person & ~anatomy.above_chin & anatomy.middle
        self._clothes_differ = bool((self._has_hair_colour(colours) & throat).sum() <= MAX_CLOTHES * throat.sum())

    def _has_hair_colour(self, colours: Tensor) -> Tensor:
        """Tell which colours (..., 3), where 1 is white, are hair's: bool (...)."""
        none = torch.zeros(colours.shape[:-1], dtype=torch.bool)
        return none if self._hair is None else self._hair.distance(colours) < MAX_DISTANCE

    def __call__(self, frames: Tensor, parameters: FaceParameters) -> Tensor:
        """Return frames without hair, uint8 (N, S, S, 3).

        Args:
            frames: uint8 (N, S, S, 3).
            parameters: face parameters that the N frames show.
        """
        anatomy, person = self.anatomy(parameters), self.person(frames)
        hair, near = self.find_hair(frames, person, anatomy), grow(person, self.margin)
        skin = shrink(~hair & anatomy.face & (self._skin.distance(frames / 255) < MAX_DISTANCE), self.margin)
        heads = anatomy.head & person  # a skull lies within its hair
        results = []
        for number, frame in enumerate(frames.float()):
            bald = _match_colours(frame, anatomy.bald[number], skin[number])
            plate = _match_background(self.plate.image, frame, ~near[number])
            drawn = _blend(bald, plate, self._soften(_smooth_outline(heads[number], self.margin)))
            without = _blend(frame, drawn, self._soften(~hair[number]))
            results.append(torch.where(near[number][..., None], without, frame))
        return torch.stack(results).round().clamp(0, 255).to(torch.uint8)

    def find_hair(self, frames: Tensor, person: Tensor, anatomy: Anatomy) -> Tensor:
        """Find the hair of a person, with a margin.

        Args:
            frames: uint8 (N, S, S, 3).
            person: mask of the person, bool (N, S, S).
            anatomy: anatomy of the N frames.

        Returns:
            Mask of the hair, bool (N, S, S).
        """
        colours = frames.float() / 255
        like_hair = self._has_hair_colour(colours)
        like_skin = (self._skin.distance(colours) < MAX_DISTANCE) & ~like_hair
        bare = like_skin & (anatomy.face | (anatomy.head & ~anatomy.on_top))  # ears and neck too
        no_hair = anatomy.features | bare | (anatomy.face & ~anatomy.on_top & ~like_hair)
        masks = zip((like_hair & person).numpy(), anatomy.on_top.numpy(), strict=True)
        below = torch.from_numpy(np.stack([_connected_to_top(*pair) for pair in masks])) & self._clothes_differ
        hair = torch.where(anatomy.above_chin, ~no_hair, below) & grow(person, self.margin)
        tidy = torch.from_numpy(np.stack([cv2.medianBlur(one.astype(np.uint8), 5) > 0 for one in hair.numpy()]))
        return grow(tidy, self.margin // 2) & ~anatomy.features  # at its border hair and skin mix

    def _soften(self, mask: Tensor) -> Tensor:
        """Give a mask (H, W) a soft border inside its edge: float (H, W) in [0, 1]."""
        pixels = np.ones((3, 3), np.uint8)
        inside = cv2.erode(mask.numpy().astype(np.float32), pixels, iterations=max(1, round(self._feather)))
        return torch.from_numpy(cv2.GaussianBlur(inside, (0, 0), self._feather))


def _smooth_outline(mask: Tensor, reach: float) -> Tensor:
    """Round the corners of a mask (H, W) to a radius of about ``reach`` pixels: bool (H, W)."""
    return torch.from_numpy(cv2.GaussianBlur(mask.numpy().astype(np.float32), (0, 0), reach)) > 0.5


def _connected_to_top(like_hair: Mask, on_top: Mask) -> Mask:
    """Return the pieces of hair-coloured pixels, bool (H, W), that are connected to hair on top of the head."""
    opened = cv2.morphologyEx(like_hair.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, piece = cv2.connectedComponents(opened)
    pieces_on_top = np.setdiff1d(piece[on_top & (opened > 0)], [0])
    connected: Mask = np.isin(piece, pieces_on_top)
    return connected


def _match_colours(frame: Tensor, drawn: Tensor, skin: Tensor) -> Tensor:
    """Give a drawing (H, W, 3) the brightness and tint of the frame on nearby skin (H, W): float (H, W, 3)."""
    if not bool(skin.any()):
        return drawn.float()
    gain = (frame / drawn.float().clamp_min(1)).clamp(*GAIN).permute(2, 0, 1)
    return drawn * fill_holes(gain, (skin & (drawn.amin(-1) > 0)).float()).permute(1, 2, 0)


def _match_background(plate: Tensor, frame: Tensor, free: Tensor) -> Tensor:
    """Match a plate (H, W, 3) to the frame, without a step where the frame shows the background, bool (H, W)."""
    step = (frame - plate.float()).permute(2, 0, 1)
    return plate + fill_holes(step, free.float()).permute(1, 2, 0)


def _blend(upper: Tensor, lower: Tensor, opacity: Tensor) -> Tensor:
    """Blend two images (H, W, 3), the upper one with an opacity (H, W)."""
    return torch.lerp(lower, upper, opacity[..., None])
