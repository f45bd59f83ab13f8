"""Video files of known content, written with PyAV alone: every frame shows its own number."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]

BITS = 8


def numbered(number: int, height: int = 64, width: int = 96) -> Frame:
    """Return a frame that shows ``number`` as vertical stripes, the lowest bit at the left."""
    stripes = np.array([230 if number >> bit & 1 else 20 for bit in range(BITS)], dtype=np.uint8)
    columns = stripes[np.arange(width) * BITS // width]
    return np.broadcast_to(columns[None, :, None], (height, width, 3)).copy()


def number_of(frame: Frame) -> int:
    """Read the number that a decoded frame shows."""
    width = frame.shape[1]
    stripes = [frame[:, bit * width // BITS : (bit + 1) * width // BITS].mean() > 125 for bit in range(BITS)]
    return sum(int(on) << bit for bit, on in enumerate(stripes))


def click(seconds: float, at: float, rate: int = 48000) -> npt.NDArray[np.float32]:
    """Return sound (samples,) that is silent except for a burst of 10 ms that begins at ``at`` seconds."""
    sound = np.zeros(round(seconds * rate), dtype=np.float32)
    start = round(at * rate)
    sound[start : start + rate // 100] = 0.8 * np.sin(np.arange(rate // 100) * 0.5)
    return sound


def write_video(
    path: Path,
    frames: Sequence[Frame],
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 30),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: npt.NDArray[np.float32] | None = None,
    sound_codec: str = "aac",
) -> Path:
    """Write a video that shows frame ``i`` from ``times[i] * time_base`` seconds on (default: one tick a frame)."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=30, options={"crf": "5", "g": "100"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pix_fmt
        stream.codec_context.time_base = time_base
        audio = container.add_stream(sound_codec, rate=48000, layout="mono") if sound is not None else None
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = times[number] if times is not None else number, time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if audio is not None and sound is not None:
            samples = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = 48000, 0, Fraction(1, 48000)
            for resampled in av.AudioResampler(audio.format, "mono", 48000, frame_size=1024).resample(samples):
                container.mux(audio.encode(resampled))
            container.mux(audio.encode(None))
    return path


def remux(source: Path, path: Path, cut: Fraction = Fraction(0), rotation: int | None = None, movflags: str = "") -> Path:
    """Copy the packets without decoding: from ``cut`` seconds on by an edit list, as `ffmpeg -ss -c copy` does, or rotated."""
    with av.open(source) as old, av.open(path, "w", options={"movflags": movflags} if movflags else {}) as new:
        streams = {stream: new.add_stream_from_template(stream) for stream in old.streams}
        if rotation is not None:
            streams[old.streams.video[0]].set_display_rotation(rotation)
        for packet in old.demux():
            if packet.dts is not None and packet.pts is not None:
                shift = round(cut / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = streams[packet.stream]
                new.mux(packet)
    return path


def loudest_time(path: Path) -> float:
    """Return the time from the first picture of a file to the start of its loud sound, seconds."""
    with av.open(path) as container:
        shown = (packet for packet in container.demux(video=0) if packet.pts is not None and not packet.is_discard)
        first = min(packet.pts * packet.time_base for packet in shown)
    with av.open(path) as container:
        for frame in container.decode(audio=0):
            level = np.abs(frame.to_ndarray().astype(np.float64)).reshape(-1)
            if level.max() > (0.2 if frame.format.name.startswith("flt") else 0.2 * 2**15):
                return float(frame.pts * frame.time_base - first) + float(np.argmax(level > level.max() / 2)) / frame.sample_rate
    raise AssertionError("no loud sound")
