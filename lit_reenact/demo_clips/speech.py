"""A soft synthetic voice that follows the jaw; it gives the embedded clips a sound track."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

RATE = 22050
_PITCH = 120.0  # Hz
_HARMONICS = 30
_LOUDNESS = 0.25  # peak, of full scale


def synthesise(jaw: npt.NDArray[np.float64], fps: float) -> npt.NDArray[np.float32]:
    """Synthesise a voice: harmonics of a wandering pitch under two formants that open with the jaw.

    Args:
        jaw: opening of the jaw in each frame, (T,) in [0, 1].
        fps: frames per second.

    Returns:
        Samples in [-1, 1] at ``RATE``.
    """
    time = np.arange(round(len(jaw) / fps * RATE)) / RATE
    opening = np.interp(time, np.arange(len(jaw)) / fps, jaw)
    phase = 2 * np.pi * np.cumsum(_PITCH * (1 + 0.12 * opening + 0.04 * np.sin(2 * np.pi * 0.37 * time))) / RATE
    formants = ((300 + 500 * opening, 120.0, 1.0), (1900 - 700 * opening, 250.0, 0.4))
    voice = np.zeros_like(time)
    for harmonic in range(1, _HARMONICS + 1):
        hertz = _PITCH * harmonic
        strength = sum(part * np.exp(-0.5 * ((hertz - centre) / width) ** 2) for centre, width, part in formants)
        voice += (0.05 + strength) / np.sqrt(harmonic) * np.sin(harmonic * phase)
    voice *= np.sqrt(opening)
    return np.asarray(_LOUDNESS * voice / np.abs(voice).max(), np.float32)


def write_sound(samples: npt.NDArray[np.float32], path: Path) -> None:
    """Write the samples and one black picture as Matroska, because ``VideoWriter`` takes its sound from videos only."""
    with av.open(path, "w", format="matroska") as container:
        picture = container.add_stream("mpeg4", rate=Fraction(25))
        picture.width = picture.height = 16
        sound = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        frame.pts = 0
        container.mux([*picture.encode(frame), *picture.encode(None)])
        for start in range(0, len(samples), RATE):
            part = (samples[None, start : start + RATE] * 32767).astype(np.int16)
            audio = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            audio.sample_rate, audio.pts = RATE, start
            container.mux(sound.encode(audio))
        container.mux(sound.encode(None))
