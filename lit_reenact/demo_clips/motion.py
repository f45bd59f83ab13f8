"""Motion for the embedded clips: aperiodic, every channel independent of the others, the held-out end within the trained range.

Each channel is drawn again until it qualifies (``_qualifies``), so all of this holds by construction, for every seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

Series = npt.NDArray[np.float64]

CHANNELS = (
    "yaw", "pitch", "roll", "right", "down", "away",
    "jaw", "smile", "pucker", "brows", "blinkLeft", "blinkRight", "gazeYaw", "gazePitch", "light", "lightSide", "lightHeight",
)  # fmt: skip
"""Head turns in degrees (signs of the project), head shift in photograph pixels, shapes in [0, 1], gaze in degrees,
brightness as a factor, and the light's direction in radians from straight ahead."""

TRAINED, HELD_OUT = 0.7, 0.84
"""Shares of a clip: frames before the first and frames after the second each cover the range of every channel."""

_CANDIDATES = 20_000


@dataclass(frozen=True)
class MotionScript:
    """Motion of the person and the light in every frame of a clip.

    Attributes:
        channels: one float64 series (T,) for each of ``CHANNELS``.
    """

    channels: dict[str, Series]

    def __len__(self) -> int:
        return len(self.channels["yaw"])

    def __getitem__(self, channel: str) -> Series:
        return self.channels[channel]

    def at(self, frame: int) -> dict[str, float]:
        """Return the value of every channel in one frame."""
        return {name: float(series[frame]) for name, series in self.channels.items()}

    def mirror(self, frame: int) -> dict[str, float]:
        """Return the value of every channel in one frame as seen in a mirror."""
        now = self.at(frame)
        opposite = {name: -now[name] for name in ("yaw", "roll", "right", "gazeYaw", "lightSide")}
        return {**now, **opposite, "blinkLeft": now["blinkRight"], "blinkRight": now["blinkLeft"]}


def sample_motion(frames: int, fps: float, seed: int) -> MotionScript:
    """Draw the motion of a talking person; equal seeds give equal motion."""
    random = np.random.default_rng(seed)
    channels: dict[str, Series] = {}

    def draw(name: str, candidate: Callable[[], Series]) -> None:
        channels[name] = next(s for s in (candidate() for _ in range(_CANDIDATES)) if _qualifies(s, list(channels.values())))

    def wave(low: float, high: float, hertz: float) -> Callable[[], Series]:
        return lambda: _wave(random, frames, fps, hertz) * (high - low) / 2 + (high + low) / 2

    # The slow ones first: the fewer independent moments a channel has, the harder it is to be independent of the others.
    draw("lightSide", wave(-0.5, 0.5, 0.5))
    draw("lightHeight", wave(-0.3, 0.3, 0.5))
    draw("yaw", wave(-18.5, 18.5, 0.5))
    draw("roll", wave(-8, 8, 0.55))
    draw("pitch", wave(-9, 9, 0.6))
    draw("right", wave(-3, 3, 0.5))
    draw("down", wave(-2, 2, 0.6))
    draw("away", wave(-14, 14, 0.6))
    draw("smile", lambda: _wave(random, frames, fps, 0.6).clip(-0.6, 1) * 0.625 + 0.375)
    draw("brows", lambda: (1.3 * _wave(random, frames, fps, 0.8) - 0.3).clip(-0.35, 1))
    draw("light", wave(0.91, 1.0, 1.0))
    draw("pucker", lambda: (1.7 * _wave(random, frames, fps, 1.2) - 0.9).clip(0, 1))
    draw("gazeYaw", lambda: _saccades(random, frames, fps, 20))
    draw("gazePitch", lambda: _saccades(random, frames, fps, 13))
    draw("jaw", lambda: _speech(random, frames, fps))
    draw("blinkLeft", lambda: _blinks(random, frames, fps))
    # The lids close together, the right one a little differently each time.
    channels["blinkRight"] = channels["blinkLeft"] * (1 - 0.3 * (0.5 + 0.5 * _wave(random, frames, fps, 1.0)))
    channels["light"] += random.normal(0, 0.006, frames)  # flicker
    return MotionScript({name: channels[name] for name in CHANNELS})


def save_motion(motion: MotionScript, path: Path, **measures: Series) -> None:
    """Write the channels, and further true values (T,) by name, as safetensors."""
    save_file({**motion.channels, **measures}, path)


def load_motion(path: Path) -> dict[str, Series]:
    """Read the series that ``save_motion`` wrote, by name."""
    return dict(load_file(path))


def _qualifies(series: Series, others: list[Series]) -> bool:
    """Check that both parts cover the range, the held-out one within the trained one, and that no other channel is similar."""
    trained, held_out = series[: int(len(series) * TRAINED)], series[int(len(series) * HELD_OUT) :]
    span = np.ptp(trained)
    within = trained.min() - 0.01 * span <= held_out.min() and held_out.max() <= trained.max() + 0.01 * span
    return bool(within and np.ptp(held_out) > 0.75 * span and all(abs(np.corrcoef(series, o)[0, 1]) < 0.28 for o in others))


def _wave(random: np.random.Generator, frames: int, fps: float, hertz: float) -> Series:
    """Return low-pass noise (T,), compressed so that it often visits its extremes, which are exactly -1 and 1."""
    frequency = np.fft.rfftfreq(2 * frames, 1 / fps)  # twice the length, or the end would join the beginning
    spectrum = np.fft.rfft(random.normal(size=2 * frames)) * np.exp(-0.5 * (frequency / hertz * 1.7) ** 2)
    noise = np.fft.irfft(spectrum)[:frames]
    wave = np.tanh(1.3 * (noise - noise.mean()) / noise.std())
    return np.asarray(2 * (wave - wave.min()) / np.ptp(wave) - 1)


def _speech(random: np.random.Generator, frames: int, fps: float) -> Series:
    """Return phrases of syllables (0.25-0.5 s) of different width, and pauses with a closed mouth (0.3-1 s): (T,) in [0, 1]."""
    time, end = np.arange(frames) / fps, frames / fps
    jaw = np.zeros(frames)
    now = random.uniform(0, 0.6)
    while now < end:
        for _ in range(random.integers(3, 9)):
            length = random.uniform(0.25, 0.5)
            width = random.beta(1.0, 0.9)
            jaw = np.maximum(jaw, width * np.exp(-0.5 * ((time - now - length / 2) / (0.32 * length)) ** 2))
            now += length
        now += random.uniform(0.3, 1.0)
    jaw[jaw < 0.02] = 0
    return np.asarray(jaw / jaw.max())


def _blinks(random: np.random.Generator, frames: int, fps: float) -> Series:
    """Return blinks of 0.3-0.5 s every 0.8-3.5 s, some of which stop half way: (T,) in [0, 1]."""
    time, now, lid = np.arange(frames) / fps, random.uniform(0.3, 1.5), np.zeros(frames)
    while now < frames / fps:
        length, depth = random.uniform(0.3, 0.5), random.choice([1.0, 1.0, 1.0, random.uniform(0.4, 0.8)])
        lid = np.maximum(lid, depth * np.clip(1.3 * np.exp(-0.5 * ((time - now) / (0.26 * length)) ** 2), 0, 1))
        now += random.uniform(0.8, 3.5)
    lid[lid < 0.01] = 0
    return lid


def _saccades(random: np.random.Generator, frames: int, fps: float, reach: float) -> Series:
    """Return fixations of 0.3-1.2 s with a jump of two frames between them: (T,) in [-reach, reach]."""
    targets: list[float] = []
    while len(targets) < frames + 2:
        targets += [random.uniform(-reach, reach)] * round(fps * random.uniform(0.3, 1.2))
    drift = 0.04 * reach * _wave(random, frames, fps, 1.5)
    return np.asarray(0.96 * np.convolve(targets[: frames + 2], [0.25, 0.5, 0.25], "valid") + drift)
