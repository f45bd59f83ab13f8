"""Renderer of the puppet in front of its background with pose, expression, gaze, light and the camera's noise."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, normalize

from lit_reenact.core.facemesh import LOWER_LIP_MIDDLE, UPPER_LIP_MIDDLE
from lit_reenact.demo_clips.actors import Person
from lit_reenact.demo_clips.interior import Eye, Mouth
from lit_reenact.demo_clips.motion import MotionScript
from lit_reenact.demo_clips.portrait import DETAIL, HEIGHT, WIDTH
from lit_reenact.demo_clips.puppet import build_puppet, project, rotate, turn
from lit_reenact.demo_clips.shapes import SHAPES
from lit_reenact.landmarks.measures import outer_eye_distance
from lit_reenact.rendering.rasterizer import interpolate, rasterize

VIEW = (30, 36, 212)
"""Left edge, top edge and side of the part of the canvas that the clip shows."""

OVERSAMPLING = 2
PATCH_ROWS = 44  # height of the strip below the canvas's texture in which eyes and mouth are painted, canvas pixels
NOISE = 1.6  # standard deviation of the camera's noise, of 255


class Stage:
    """Renderer of one person.

    Args:
        person: person to animate.
        size: side of the square frames in pixels.
    """

    def __init__(self, person: Person, size: int) -> None:
        portrait = person.portrait
        self._size = size
        self._mirrored = person.mirrored
        self._jaw_travel = person.jaw_travel
        self._light = torch.tensor(person.light)
        self._puppet = build_puppet(portrait, person.reshape)
        right, left = (Eye(portrait, person.reshape, left=side, iris=person.iris) for side in (False, True))
        self._inside: tuple[Eye | Mouth, ...] = (right, left, Mouth(portrait, person.reshape))
        canvas = np.concatenate([portrait.texture, portrait.head[..., None]], 2)
        self._atlas = (
            torch.from_numpy(np.pad(canvas, ((0, PATCH_ROWS * DETAIL), (0, 0), (0, 0)))).permute(2, 0, 1)[None].contiguous()
        )
        self._atlas[:, 3, HEIGHT * DETAIL :] = 1

        faces, positions, column = [self._puppet.faces], [self._puppet.texture_positions], 0
        self._columns = []
        for layer in self._inside:
            faces.append(layer.patch.faces + sum(map(len, positions)))
            positions.append(layer.patch.positions + torch.tensor([column, HEIGHT]))
            self._columns.append(column)
            column += layer.patch.size[0]
        self._faces = torch.cat(faces)
        self._texture_positions = torch.cat(positions) / torch.tensor([WIDTH, HEIGHT + PATCH_ROWS]) * 2 - 1
        self._normals = self._smooth_normals(torch.cat([self._puppet.rest, *(layer.patch.points for layer in self._inside)]))

        x, y, side = (v * DETAIL for v in VIEW)
        plate = cv2.resize(portrait.plate[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
        self._plate = torch.from_numpy(plate).permute(2, 0, 1)

    def render(self, motion: MotionScript, frame: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Return one frame, uint8 (size, size, 3); the camera's noise is drawn from ``random``."""
        now = self._channels(motion, frame)
        self._paint(now)
        seen = project(self._pose(now))
        seen[:, :2] = (seen[:, :2] - seen.new_tensor(VIEW[:2])) * (self._size / VIEW[2])
        left, top = (int(v) for v in seen[:, :2].min(0).values.floor().clamp(0, self._size))
        right, bottom = (int(v) for v in seen[:, :2].max(0).values.ceil().clamp(0, self._size))
        seen[:, :2] = (seen[:, :2] - seen.new_tensor([left, top])) * OVERSAMPLING
        head = self._draw(seen, self._gain(now), (bottom - top) * OVERSAMPLING, (right - left) * OVERSAMPLING)
        image = self._plate.clone()
        image[:, top:bottom, left:right] = head[:3] + image[:, top:bottom, left:right] * (1 - head[3:])
        noise = random.standard_normal((self._size, self._size, 3), dtype=np.float32)
        bright = image.permute(1, 2, 0).numpy() * (255 * now["light"]) + NOISE * noise
        picture = bright.round().clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(picture[:, ::-1] if self._mirrored else picture)

    def lip_gap(self, motion: MotionScript, frame: int) -> float:
        """Return the true distance of the inner lips over that of the outer corners of the eyes."""
        points = self._pose(self._channels(motion, frame))
        return float((points[UPPER_LIP_MIDDLE] - points[LOWER_LIP_MIDDLE]).norm() / outer_eye_distance(points))

    def _channels(self, motion: MotionScript, frame: int) -> dict[str, float]:
        """Return the frame's channels as this person performs them; mirrored if the picture will be mirrored."""
        now = motion.mirror(frame) if self._mirrored else motion.at(frame)
        return now | {"jaw": now["jaw"] * self._jaw_travel}

    def _pose(self, now: dict[str, float]) -> Tensor:
        """Return all points (V, 3) of one frame: the mesh, FaceMesh's 468 points first, then eyes and mouth."""
        lids = 0.018 * max(-now["gazePitch"], 0) - 0.008 * max(now["gazePitch"], 0)  # the upper lids follow the gaze
        weights = {
            **now,
            "rest": 1 - 0.12 * now["smile"] ** 2,  # a broad smile parts the lips
            "smile": 0.7 * now["smile"],
            "pucker": 0.75 * now["pucker"] * (1 - 0.6 * now["smile"]),
            "blinkLeft": lids + (1 - lids) * now["blinkLeft"],
            "blinkRight": lids + (1 - lids) * now["blinkRight"],
        }
        angles, shift = _head(now)
        skin = self._puppet.pose(torch.tensor([weights[name] for name in SHAPES]), angles, shift)
        return torch.cat([skin, *(turn(layer.patch.points, angles, shift) for layer in self._inside)])

    def _draw(self, seen: Tensor, gain: Tensor, height: int, width: int) -> Tensor:
        """Draw the head, (4, height, width) over ``OVERSAMPLING``: colour times coverage, and coverage."""
        fragments = rasterize(seen[None], self._faces, height, width)
        attributes = torch.cat([self._texture_positions, gain], 1)
        spread = interpolate(fragments, attributes, self._faces)  # (1, 3, H, W)
        sample = grid_sample(self._atlas, spread[:, :2].permute(0, 2, 3, 1), align_corners=False)  # (1, 4, H, W)
        share = sample[:, 3:] * (fragments.triangle >= 0)[:, None]
        return avg_pool2d(torch.cat([sample[:, :3] * (spread[:, 2:] * share), share], 1), OVERSAMPLING)[0]

    def _paint(self, now: dict[str, float]) -> None:
        """Update the textures of eyes and mouth."""
        drop = float(self._puppet.shapes[SHAPES.index("jaw"), 14, 1]) * now["jaw"]
        gaze = np.deg2rad(now["gazeYaw"]), np.deg2rad(now["gazePitch"])
        for layer, column in zip(self._inside, self._columns, strict=True):
            image = layer.paint(*gaze) if isinstance(layer, Eye) else layer.paint(drop)
            rows, columns = (
                slice(HEIGHT * DETAIL, HEIGHT * DETAIL + image.shape[0]),
                slice(column * DETAIL, column * DETAIL + image.shape[1]),
            )
            self._atlas[0, :3, rows, columns] = torch.from_numpy(image).permute(2, 0, 1)

    def _gain(self, now: dict[str, float]) -> Tensor:
        """Return the brightness of each point (V, 1) relative to the photograph; head and light have turned since."""
        light = torch.tensor([now["lightSide"], -0.35 - now["lightHeight"], -1.0]) + self._light
        photographed = torch.tensor([-0.15, -0.35, -1.0])
        angles, _ = _head(now)
        normals = rotate(self._normals, angles)
        lit, before = (
            0.5 + 0.5 * (n @ normalize(d, dim=0)).clamp(min=0) for n, d in ((normals, light), (self._normals, photographed))
        )
        return (lit / before).clamp(0.5, 1.5)[:, None]

    def _smooth_normals(self, points: Tensor) -> Tensor:
        """Return outward normals (V, 3), averaged over neighbours so that the light changes no detail."""
        a, b, c = points[self._faces].unbind(1)
        across = torch.linalg.cross(c - a, b - a, dim=-1)
        normals = torch.zeros_like(points).index_add(0, self._faces.flatten(), across.repeat_interleave(3, 0))
        for _ in range(4):
            around = normalize(normals, dim=-1)[self._faces].sum(1)
            normals = torch.zeros_like(points).index_add(0, self._faces.flatten(), around.repeat_interleave(3, 0))
        return normalize(normals, dim=-1)


def _head(now: dict[str, float]) -> tuple[Tensor, Tensor]:
    """Return yaw, pitch, roll in radians and the shift in pixels."""
    angles = torch.deg2rad(torch.tensor([now["yaw"], now["pitch"], now["roll"]]))
    return angles, torch.tensor([now["right"], now["down"], now["away"]])
