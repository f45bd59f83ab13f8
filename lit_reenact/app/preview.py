"""One frame of an edited video, equal to that frame of the exported video."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from lit_reenact.app.session import EditingSession
from lit_reenact.synthesis.full_frames import there_and_back
from lit_reenact.synthesis.inference import render_frames
from lit_reenact.transfer import frames_at_rate


class Preview(NamedTuple):
    """A generated frame and the input of the network.

    Attributes:
        frame: generated frame, uint8 (S, S, 3).
        conditioning: K conditioning images, uint8 (3 K, S, S).
    """

    frame: Tensor
    conditioning: Tensor


def make_preview(session: EditingSession) -> Preview:
    """Generate the frame in view from the window of edited frames around it, in one pass of the network."""
    run, frame = session.run, session.frame
    shape = run.generator.shape
    first, end = session.performance.shot(frame)
    start, stop = max(first, frame - shape.before), min(end, frame + shape.after + 1)
    edited = session.edit_frames(start, stop)
    chunks = render_frames(run.generator, run.renderer, edited, batch=1, first=frame - start, references=run.references)
    frames, conditioning = next(chunks)
    if session.remove_hair:
        frames = run.without_hair(frames, edited[frame - start : frame - start + 1])
    return Preview(frames[0], conditioning[0])


def read_target_frame(session: EditingSession) -> Tensor:
    """Return the target's own frame, uint8 (S, S, 3). Its clip is played forwards and backwards under a longer performance."""
    count, own = len(session.performance), len(session.run.target.track)
    return session.run.real_frame(session.run.target, there_and_back(count, own)[session.frame])


def read_driving_frame(session: EditingSession) -> Tensor | None:
    """Return the source's frame that drives the frame in view, uint8 (S, S, 3); None without a source."""
    source, run = session.performance.source, session.run
    if source is None:
        return None
    return run.real_frame(source, int(frames_at_rate(len(source.track), source.fps, run.target.fps)[session.frame]))
