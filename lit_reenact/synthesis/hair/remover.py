"""What of a person is hair, and what is drawn in its place."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import FaceModel
from lit_reenact.synthesis.hair.anatomy import Anatomy, fitting_anatomist
from lit_reenact.synthesis.hair.background import background_plate
from lit_reenact.synthesis.hair.person import Mask, PersonSegmenter, grown, shrunk
from lit_reenact.tracking.photometric import fill_holes
from lit_reenact.tracking.shape import spread_evenly
from lit_reenact.tracking.skin_colour import Normal, usual
from lit_reenact.video import FrameReader, resize_frames

LEARNED_FROM = 48
"""Frames of the clip from which background and colours are learned."""

MARGIN = 1 / 40
"""Of a mask about the person, as a part of the image's side: loose hair and its blur."""

FEATHER = 1 / 200
"""Standard deviation of the soft border between what stays and what is drawn, as a part of the image's side."""

LEAST_DEVIATION = 0.03
"""Of a colour, 1 is white: no hair and no skin is believed to be more even."""

LIKE = 4.0
"""Deviations from the usual skin or hair up to which a pixel may be some."""

CLOTHED = 0.2
"""Share of the strip below the chin that has hair's colour, from which on the clothes are taken to have it."""

GAIN = (0.5, 2.0)
"""Limits of what colours are matched by."""


class HairRemover:
    """Takes the hair away from frames of one person.

    Args:
        model: face model.
        track: of the clip; its background is the one that is shown.
        reader: the clip.
        size: side of the frames that are to be changed.
    """

    def __init__(self, model: FaceModel, track: Track, reader: FrameReader, size: int) -> None:
        self.margin = max(1, round(MARGIN * size))
        self.person = PersonSegmenter()
        self._feather = FEATHER * size
        valid = track.valid.nonzero().squeeze(1)
        numbers = valid[spread_evenly(len(valid), LEARNED_FROM)]
        frames = resize_frames(reader.read(numbers.tolist()), size)
        person = self.person(frames)
        self.plate = background_plate(frames, grown(person, 2 * self.margin))
        shown = track.parameters[numbers]
        self.anatomy = fitting_anatomist(model, track.actor, track.camera, size, shown, person)
        self._learn_colours(frames, person, self.anatomy(shown))

    def _learn_colours(self, frames: Tensor, person: Tensor, anatomy: Anatomy) -> None:
        """The usual skin and hair, the latter if there is any over the face; and whether hair differs from the clothes."""
        colours = frames.float() / 255
        self._skin = usual(colours[anatomy.features & person], LEAST_DEVIATION)
        crown = colours[person & anatomy.on_top & ~anatomy.face & (self._skin.distance(colours) > LIKE)]
        self._hair: Normal | None = usual(crown, LEAST_DEVIATION) if len(crown) > frames.shape[1] else None
        throat = person & ~anatomy.above_chin & anatomy.middle
        self._tells_clothes = bool((self._like_hair(colours) & throat).sum() <= CLOTHED * throat.sum())

    def _like_hair(self, colours: Tensor) -> Tensor:
        """Which colours (..., 3) hair has: bool (...)."""
        none = torch.zeros(colours.shape[:-1], dtype=torch.bool)
        return none if self._hair is None else self._hair.distance(colours) < LIKE

    def __call__(self, frames: Tensor, parameters: FaceParameters) -> Tensor:
        """Frames uint8 (N, size, size, 3) that show the head as the parameters of N frames say, without hair."""
        anatomy, person = self.anatomy(parameters), self.person(frames)
        hair, near = self.hair(frames, person, anatomy), grown(person, self.margin)
        skin = shrunk(~hair & anatomy.face & (self._skin.distance(frames / 255) < LIKE), self.margin)
        heads = anatomy.head & person  # a skull lies within its hair
        made = []
        for number, frame in enumerate(frames.float()):
            bald = _in_colours_of(frame, anatomy.bald[number], skin[number])
            plate = _joined(self.plate.image, frame, ~near[number])
            drawn = _mixed(bald, plate, self._soft(_evened(heads[number], self.margin)))
            without = _mixed(frame, drawn, self._soft(~hair[number]))
            made.append(torch.where(near[number][..., None], without, frame))
        return torch.stack(made).round().clamp(0, 255).to(torch.uint8)

    def hair(self, frames: Tensor, person: Tensor, anatomy: Anatomy) -> Tensor:
        """What of the person, bool (N, H, W), is hair, with a margin: bool (N, H, W)."""
        colours = frames.float() / 255
        like_hair = self._like_hair(colours)
        like_skin = (self._skin.distance(colours) < LIKE) & ~like_hair
        bare = like_skin & (anatomy.face | (anatomy.head & ~anatomy.on_top))  # ears and neck too
        no_hair = anatomy.features | bare | (anatomy.face & ~anatomy.on_top & ~like_hair)
        tops = zip((like_hair & person).numpy(), anatomy.on_top.numpy(), strict=True)
        below = torch.from_numpy(np.stack([_growing(*pair) for pair in tops])) & self._tells_clothes
        hair = torch.where(anatomy.above_chin, ~no_hair, below) & grown(person, self.margin)
        tidy = torch.from_numpy(np.stack([cv2.medianBlur(one.astype(np.uint8), 5) > 0 for one in hair.numpy()]))
        return grown(tidy, self.margin // 2) & ~anatomy.features  # at its border hair and skin mix

    def _soft(self, mask: Tensor) -> Tensor:
        """A mask (H, W) with a soft border inside its edge: float (H, W)."""
        pixels = np.ones((3, 3), np.uint8)
        inside = cv2.erode(mask.numpy().astype(np.float32), pixels, iterations=max(1, round(self._feather)))
        return torch.from_numpy(cv2.GaussianBlur(inside, (0, 0), self._feather))


def _evened(mask: Tensor, reach: float) -> Tensor:
    """A mask (H, W) whose border bends no more sharply than over some pixels: bool (H, W)."""
    return torch.from_numpy(cv2.GaussianBlur(mask.numpy().astype(np.float32), (0, 0), reach)) > 0.5


def _growing(like_hair: Mask, on_top: Mask) -> Mask:
    """Of what has hair's colour (H, W), the pieces that hang together with hair on top of the head."""
    opened = cv2.morphologyEx(like_hair.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, piece = cv2.connectedComponents(opened)
    rooted = np.setdiff1d(piece[on_top & (opened > 0)], [0])
    found: Mask = np.isin(piece, rooted)
    return found


def _in_colours_of(frame: Tensor, drawn: Tensor, skin: Tensor) -> Tensor:
    """A drawn image (H, W, 3) as bright and as coloured as the frame is on the skin (H, W) nearby: float (H, W, 3)."""
    if not bool(skin.any()):
        return drawn.float()
    gain = (frame / drawn.float().clamp_min(1)).clamp(*GAIN).permute(2, 0, 1)
    return drawn * fill_holes(gain, (skin & (drawn.amin(-1) > 0)).float()).permute(1, 2, 0)


def _joined(plate: Tensor, frame: Tensor, free: Tensor) -> Tensor:
    """A plate (H, W, 3) that goes over into the frame without a step where the frame shows the background, bool (H, W)."""
    step = (frame - plate.float()).permute(2, 0, 1)
    return plate + fill_holes(step, free.float()).permute(1, 2, 0)


def _mixed(upper: Tensor, lower: Tensor, share: Tensor) -> Tensor:
    """Images (H, W, 3), the upper one with a share (H, W)."""
    return torch.lerp(lower, upper, share[..., None])
