"""Moments: points in time of a clip that the report shows as a row of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.schema import FaceParameters
from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.motion import motion_curves, pick_varied_frames
from lit_reenact.evaluation.page import image
from lit_reenact.networks.generator import Generator
from lit_reenact.synthesis import conditioning_picture, error_picture, target_renderer
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import reenact
from lit_reenact.video import FrameReader

COUNT = 8
"""Number of moments on a sheet."""


@dataclass(frozen=True)
class Moment:
    """One point in time of a sheet.

    Attributes:
        caption: short text, e.g. "2.4 s".
        pictures: uint8 (H, W, 3) by their names, in the order shown.
    """

    caption: str
    pictures: Mapping[str, Tensor]


def moments_html(moments: Sequence[Moment]) -> str:
    """Return a grid of moments as HTML, all text escaped."""
    return f'<div class="moments">{"".join(_figure(moment) for moment in moments)}</div>'


def _figure(moment: Moment) -> str:
    cells = [f"<div>{image(frame, f'{name}, {moment.caption}')}{escape(name)}</div>" for name, frame in moment.pictures.items()]
    return f'<figure class="moment"><figcaption>{escape(moment.caption)}</figcaption>{"".join(cells)}</figure>'


def reenactment_moments(video: Path, source: TrackedClip, target: TrackedClip, generator: Generator) -> list[Moment]:
    """Return moments of a reenacted video in which the source differs most: driving | conditioning | output.

    Args:
        video: reenacted video, frame by frame in step with the source.
        source: clip that drives.
        target: clip that is driven.
        generator: network that was trained on the target.
    """
    numbers = pick_varied_frames(motion_curves(source.track), COUNT)
    index = torch.tensor(numbers)
    pictures = {
        "driving": source.read(index, generator.image_size),
        "conditioning": _conditioning(target, generator, reenact(source.track, target.track)[index]),
        "output": FrameReader(video).read(numbers),
    }
    return _moments([number / float(source.fps) for number in numbers], pictures)


def held_out_moments(evaluation: Evaluation, target: TrackedClip, generator: Generator) -> list[Moment]:
    """Return held-out moments that differ most: input | conditioning | output | error.

    Args:
        evaluation: self-reenactment of the target, as evaluated.
        target: clip that was evaluated.
        generator: network that was trained on the target.
    """
    part = slice(evaluation.frames.start, evaluation.frames.stop)
    index = torch.tensor(pick_varied_frames(motion_curves(target.track)[part], COUNT))
    real, generated = evaluation.real[index], evaluation.generated[index]
    pictures = {
        "input": real,
        "conditioning": _conditioning(target, generator, target.track.parameters[part][index]),
        "output": generated,
        "error": error_picture(generated, real),
    }
    return _moments([evaluation.frames[k] / evaluation.fps for k in index.tolist()], pictures)


def evaluated_moments(evaluation: Evaluation, numbers: Sequence[int]) -> list[Moment]:
    """Return held-out moments with their face L1: real | output | error.

    Args:
        evaluation: evaluated frames.
        numbers: indices into the held-out frames.
    """
    moments = []
    for number in numbers:
        real, generated = evaluation.real[number], evaluation.generated[number]
        frame, error = evaluation.frames[number], float(evaluation.values[MODEL]["face_l1"][number])
        pictures = {"real": real, "output": generated, "error": error_picture(generated[None], real[None])[0]}
        moments.append(Moment(f"frame {frame}, {frame / evaluation.fps:.1f} s: {error:.1f} levels", pictures))
    return moments


def _conditioning(target: TrackedClip, generator: Generator, parameters: FaceParameters) -> Tensor:
    return conditioning_picture(target_renderer(target.track, generator)(parameters).cpu(), generator.conditioning)


def _moments(seconds: Sequence[float], pictures: Mapping[str, Tensor]) -> list[Moment]:
    return [Moment(f"{second:.1f} s", {name: frames[k] for name, frames in pictures.items()}) for k, second in enumerate(seconds)]
