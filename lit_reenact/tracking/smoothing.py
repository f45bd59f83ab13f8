"""Smoothing over time: a Whittaker smoother within runs of frames, in which repeated frames count once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solveh_banded
from torch import Tensor

from lit_reenact.video.cuts import shots


def whittaker(values: Tensor, weight: Tensor, strength: float) -> Tensor:
    """Return the series z that minimises ``sum w (y - z)^2 + strength sum (z[t-1] - 2 z[t] + z[t+1])^2`` (Eilers 2003).

    Args:
        values: (T, C) series.
        weight: (T,) weights of the values; 0 lets the smoother bridge a value. At least two must be positive if any is 0.
        strength: weight of the squared second differences; 0 returns the values.

    Returns:
        (T, C) series of the type of ``values``.
    """
    frames = len(values)
    if frames < 3 or strength == 0:
        return values
    second = np.zeros((3, frames))  # upper bands of D'D, the main diagonal last
    for offset, factor in enumerate((1.0, -2.0, 1.0)):
        second[2, offset : frames - 2 + offset] += factor**2
    second[1, 1:-1] += -2.0
    second[1, 2:] += -2.0
    second[0, 2:] += 1.0
    bands = strength * second
    w = weight.double().numpy()
    bands[2] += w
    smooth = solveh_banded(bands, w[:, None] * values.double().numpy())
    return torch.from_numpy(smooth).to(values.dtype)


def runs(valid: Tensor) -> list[tuple[int, int]]:
    """Find the longest runs [start, stop) of true values in a bool (T,)."""
    edges = torch.diff(valid.int(), prepend=torch.zeros(1, dtype=torch.int), append=torch.zeros(1, dtype=torch.int))
    return list(zip((edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist(), strict=True))


def smooth(values: Tensor, weight: Tensor, strength: float, valid: Tensor, held: Tensor) -> Tensor:
    """Smooth a series within each run of valid frames, never across the gaps between them.

    Frames that show the same picture count as one moment and get one value, the mean of its measurements.

    Args:
        values: (T, C) series; values of invalid frames are not changed.
        weight: (T,) weights of the frames.
        strength: weight of the squared second differences.
        valid: bool (T,), frames that smoothing may run through.
        held: bool (T,), frames that repeat the picture before them.
    """
    result = values.clone()
    for start, stop in runs(valid):
        new = ~held[start:stop]
        new[0] = True
        moment = new.cumsum(0) - 1  # (frames,) which picture each frame shows
        total = weight.new_zeros(int(new.sum())).index_add(0, moment, weight[start:stop])
        if int((total > 0).sum()) < 2:
            continue
        weighted = values[start:stop] * weight[start:stop, None]
        mean = values.new_zeros(len(total), values.shape[1]).index_add(0, moment, weighted) / total.clamp_min(1e-6)[:, None]
        result[start:stop] = whittaker(mean, total, strength)[moment]
    return result


def fill(values: Tensor, known: Tensor) -> Tensor:
    """Interpolate values (T, C) linearly in frames that ``known``, bool (T,), excludes; hold them constant at the ends."""
    if bool(known.all()) or not bool(known.any()):
        return values
    time, at = np.arange(len(values)), known.numpy().nonzero()[0]
    columns = [np.interp(time, at, column[at]) for column in values.double().numpy().T]
    return torch.from_numpy(np.stack(columns, -1)).to(values.dtype)


@dataclass(frozen=True)
class Timing:
    """The T frames of a clip in time: which can be used, which are repeated, and where nothing flows across.

    Attributes:
        seen: bool (T,), frames with landmarks.
        valid: bool (T,), frames that smoothing may run through.
        held: bool (T,), frames that repeat the picture before them.
        fps: frames per second.
        actor_frames: the person is learned from frames [0, actor_frames), so nothing flows back into them from later ones.
        cuts: first frame after every cut; nothing flows across a cut.
    """

    seen: Tensor
    valid: Tensor
    held: Tensor
    fps: float
    actor_frames: int
    cuts: tuple[int, ...] = ()

    def fill(self, values: Tensor, known: Tensor) -> Tensor:
        """Fill a series (T, C), known in frames bool (T,), without using later frames in the training frames.

        A shot is filled from its own frames; a shot without known frames is filled from its neighbours.
        """
        early = slice(0, self.actor_frames)
        filled = torch.cat([fill(values[early], known[early]), fill(values, known)[self.actor_frames :]])
        for start, stop in shots(self.cuts, len(values)):
            border = min(max(self.actor_frames, start), stop)
            for first, last in ((start, border), (border, stop)):
                if bool(known[start:last].any()):
                    filled[first:last] = fill(values[start:last], known[start:last])[first - start :]
        return filled

    def smooth(self, values: Tensor, strength: float) -> Tensor:
        """Interpolate a series (T, C) in unseen frames and smooth it, with a strength that counts at 30 frames per second."""
        filled = self.fill(values, self.seen)
        scaled = strength * (self.fps / 30) ** 4  # the penalty is on a squared second derivative by the frame number
        borders = tuple(sorted({*self.cuts, self.actor_frames} - {0, len(values)}))
        parts = [slice(start, stop) for start, stop in shots(borders, len(values))]
        return torch.cat([smooth(filled[p], self.seen[p].float(), scaled, self.valid[p], self.held[p]) for p in parts])
