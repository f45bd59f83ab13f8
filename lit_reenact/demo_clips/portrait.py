"""A public-domain photograph in parts: the head as a texture with a soft edge, and the background behind it.

The photograph is NASA's portrait of Eileen Collins, ``skimage.data.astronaut()``. Lengths are pixels of the photograph,
positions are relative to the canvas: the part of the photograph (and a little background above it) that is animated.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu
from skimage import data

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.landmarks.detection import detect

Image = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

ORIGIN = np.array([90, -40])  # the canvas's corner in the photograph; the background continues above its upper edge
WIDTH, HEIGHT = 272, 290
EARS, COLLAR = 155, 180
"""Rows of the canvas: below the first there is no hair at the edge of the head, below the second the suit surrounds the neck."""

DETAIL = 3
"""Texture pixels along each side of a photograph pixel; the face is about 100 pixels wide, and its resampling should not show."""


@dataclass(frozen=True)
class Portrait:
    """A person in front of a background.

    Attributes:
        texture: (DETAIL * HEIGHT, DETAIL * WIDTH, 3) RGB in [0, 1], the canvas enlarged.
        plate: (DETAIL * HEIGHT, DETAIL * WIDTH, 3) RGB in [0, 1], the background without the head.
        head: (DETAIL * HEIGHT, DETAIL * WIDTH) in [0, 1], share of a pixel that is head or neck; soft at the edge.
        hair: (DETAIL * HEIGHT, DETAIL * WIDTH) in [0, 1], share of a pixel that is hair.
        landmarks: (478, 3) FaceMesh points in canvas pixels, smaller z is nearer.
    """

    texture: Image
    plate: Image
    head: Image
    hair: Image
    landmarks: Image


def load_portrait() -> Portrait:
    """Read the photograph, detect the face and segment the head; takes about a second.

    Raises:
        ReenactError: the landmark detector finds no face in the photograph.
    """
    photo = np.asarray(data.astronaut())  # type: ignore[no-untyped-call]
    landmarks = _landmarks(photo)
    above = -int(ORIGIN[1])
    right, bottom = ORIGIN[0] + WIDTH, ORIGIN[1] + HEIGHT
    canvas = np.pad(photo[:bottom, ORIGIN[0] : right], ((above, 0), (0, 0), (0, 0)), mode="edge")
    head, hair = _segment(canvas, above, landmarks)

    mask = head.astype(np.uint8)
    hidden = cv2.dilate(mask, disc(2)).astype(bool)
    hidden[:COLLAR] = cv2.dilate(mask, disc(7))[:COLLAR]  # more where everything is blurred: loose hair
    hidden[:above] = True  # nothing was photographed there
    # The hair keeps a pixel of the blurred background, which nobody sees; below the ears it would show on the dark collar.
    mask[:EARS] = cv2.dilate(mask, disc(1))[:EARS]
    plate = _fill(canvas.astype(np.float32) / 255, hidden)
    canvas[:above] = (plate[:above] * 255).round()
    return Portrait(
        texture=_sharpen(_enlarge(canvas.astype(np.float32) / 255)),
        plate=_enlarge(plate),
        head=_soft(mask, 0.9),
        hair=_soft(hair.astype(np.uint8), 0.7),
        landmarks=landmarks,
    )


def _landmarks(photo: Bytes) -> Image:
    """Return the FaceMesh landmarks of the enlarged photograph in canvas pixels, (478, 3)."""
    scale = 3
    part = cv2.resize(photo[:256, 90:346], None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4).astype(np.uint8)
    detection = detect([part], total=1, progress=None)
    if not bool(detection.found[0]):
        raise ReenactError("FaceMesh does not find the face in skimage.data.astronaut(): is mediapipe 0.10.21 installed?")
    points = detection.points[0].numpy().astype(np.float32) / scale
    points[:, :2] += np.array([90, 0]) - ORIGIN
    return points


def _segment(canvas: Bytes, above: int, landmarks: Image) -> tuple[Mask, Mask]:
    """Segment head with neck, and hair, as masks (HEIGHT, WIDTH) by two graph cuts that start from ellipses and landmarks."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    around = ((x - 138) / 78) ** 2 + ((y - 135) / 86) ** 2
    face = polygon(np.asarray(cv2.convexHull(landmarks[:FACE_POINTS, :2].copy()), np.float32)[:, 0], (HEIGHT, WIDTH))
    guess = np.select(
        [(face > 0) | (around < 0.45), around > 1.35, around < 1.1], [cv2.GC_FGD, cv2.GC_BGD, cv2.GC_PR_FGD], cv2.GC_PR_BGD
    )
    guess[:above] = cv2.GC_BGD
    head = _largest(_cut(canvas, guess))

    inner = cv2.erode(face, disc(3)) > 0
    brow = landmarks[[70, 63, 105, 66, 107, 336, 296, 334, 293, 300], 1].min()
    skin = inner & (y > brow - 2)
    low = y > landmarks[152, 1] - 25  # neck and chin
    guess = np.select([~head | skin | low, y < brow - 35, face == 0], [cv2.GC_BGD, cv2.GC_FGD, cv2.GC_PR_FGD], cv2.GC_PR_BGD)
    hair = _cut(canvas, guess) & head
    return head, hair


def _cut(image: Bytes, guess: npt.NDArray[np.int_]) -> Mask:
    mask = guess.astype(np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(image, mask, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    return np.asarray(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)))


def _largest(mask: Mask) -> Mask:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return np.asarray(labels == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax())


def _fill(image: Image, hidden: Mask) -> Image:
    """Replace the hidden pixels by the smoothest surface (Laplace's equation) through their surroundings."""
    height, width = hidden.shape
    index = np.arange(height * width).reshape(height, width)
    pairs = np.concatenate(
        [np.stack([index[1:].ravel(), index[:-1].ravel()]), np.stack([index[:, 1:].ravel(), index[:, :-1].ravel()])], 1
    )
    weights = np.ones(pairs.shape[1])
    links = sparse.coo_matrix((weights, (pairs[0], pairs[1])), shape=(index.size, index.size)).tocsr()
    laplacian = sparse.csgraph.laplacian(links + links.T).tocsr()
    inside, outside = index[hidden], index[~hidden]
    flat = image.reshape(-1, 3).copy()
    solver = splu(laplacian[inside][:, inside].tocsc())
    flat[inside] = solver.solve(-(laplacian[inside][:, outside] @ flat[outside]).astype(np.float64))
    return flat.reshape(image.shape)


def _enlarge(image: Image) -> Image:
    larger = cv2.resize(image, (DETAIL * WIDTH, DETAIL * HEIGHT), interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(np.clip(larger, 0, 1), np.float32)


def _sharpen(image: Image) -> Image:
    return np.asarray(np.clip(image + 0.6 * (image - cv2.GaussianBlur(image, (0, 0), 0.8 * DETAIL)), 0, 1), np.float32)


def _soft(mask: Bytes, radius: float) -> Image:
    return np.asarray(cv2.GaussianBlur(_enlarge(mask.astype(np.float32)), (0, 0), radius * DETAIL), np.float32)


def disc(radius: int) -> Bytes:
    """Return a round neighbourhood for dilation and erosion."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def polygon(corners: Image, shape: tuple[int, int]) -> Bytes:
    """Return an image of ``shape`` that is 1 inside the polygon with these corners (N, 2) and 0 outside."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [corners.round().astype(np.int32)], [1.0])
    return mask
