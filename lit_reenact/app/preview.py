"""One frame of an edited video, made as the whole video would make it."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from lit_reenact.app.session import Session
from lit_reenact.synthesis.full_frames import there_and_back
from lit_reenact.synthesis.inference import render_frames
from lit_reenact.transfer import held_frames


class Preview(NamedTuple):
    """A frame as the network makes it.

    Attributes:
        frame: uint8 (S, S, 3).
        conditioning: uint8 (3 K, S, S).
    """

    frame: Tensor
    conditioning: Tensor


def preview(session: Session) -> Preview:
    """The frame that is looked at, from the window of edited frames about it: one pass of the network."""
    run, frame = session.run, session.frame
    shape = run.generator.shape
    first, end = session.performance.shot(frame)
    start, stop = max(first, frame - shape.before), min(end, frame + shape.after + 1)
    edited = session.edited(start, stop)
    frames, conditioning = next(render_frames(run.generator, run.renderer, edited, batch=1, first=frame - start))
    if session.remove_hair:
        frames = run.without_hair(frames, edited[frame - start : frame - start + 1])
    return Preview(frames[0], conditioning[0])


def target_frame(session: Session) -> Tensor:
    """The target's own frame at this place, uint8 (S, S, 3); its clip goes forwards and back under a longer performance."""
    count, own = len(session.performance), len(session.run.target.track)
    return session.run.real_frame(session.run.target, there_and_back(count, own)[session.frame])


def driving_frame(session: Session) -> Tensor | None:
    """The frame that drives this one, uint8 (S, S, 3); None where nobody drives."""
    source, run = session.performance.source, session.run
    if source is None:
        return None
    return run.real_frame(source, int(held_frames(len(source.track), source.fps, run.target.fps)[session.frame]))
