"""Sound of one video file, copied or encoded again into another."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.audio.resampler import AudioResampler

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
"""Codecs that an mp4 may hold unchanged; sound in any other one is encoded as AAC."""

_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
"""Sample rates (Hz) that AAC is encoded at; sound of any other rate is resampled to 48 kHz."""


class Soundtrack:
    """First sound stream of a file, muxed packet by packet into another file while its pictures are being written.

    Args:
        source: file that has sound.
        start: time on the source's clock, seconds, that becomes 0; sound that ends before it is left out.
        output: container that receives a new stream for the sound.
    """

    def __init__(self, source: Path, start: Fraction, output: OutputContainer) -> None:
        self._input = av.open(source)
        self._start = start
        stream = self._input.streams.audio[0]
        self._output = output
        self._stream: AudioStream
        if stream.codec_context.name in COPIED_CODECS:
            self._stream = output.add_stream_from_template(stream)
            self._packets = self._copy(stream)
        else:
            rate = stream.rate if stream.rate in _AAC_RATES else 48000
            layout = "mono" if stream.channels == 1 else "stereo"
            self._stream = output.add_stream("aac", rate=rate, layout=layout)
            self._packets = self._encode(stream, AudioResampler(format="fltp", layout=layout, rate=rate))
        self._pending = next(self._packets, None)

    def mux_until(self, seconds: Fraction) -> None:
        """Write every packet that begins before ``seconds``."""
        while self._pending is not None and _time(self._pending) < seconds:
            self._output.mux(self._pending)
            self._pending = next(self._packets, None)

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _copy(self, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        for packet in self._input.demux(stream):
            if packet.pts is None or packet.dts is None or packet.size == 0:
                continue
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            # A packet that ends where the sound begins stays: AAC needs it to prime the decoder.
            if packet.pts + (packet.duration or 0) >= 0:
                packet.stream = self._stream
                yield packet

    def _encode(self, stream: AudioStream, resampler: AudioResampler) -> Iterator[Packet[AudioStream]]:
        for frame in self._input.decode(stream):
            if frame.pts is None or frame.time_base is None:
                continue
            frame.pts -= round(self._start / frame.time_base)
            if frame.pts * frame.time_base + Fraction(frame.samples, frame.sample_rate) > 0:
                for resampled in resampler.resample(frame):
                    yield from self._stream.encode(resampled)
        for resampled in resampler.resample(None):
            yield from self._stream.encode(resampled)
        yield from self._stream.encode(None)


def _time(packet: Packet[AudioStream]) -> Fraction:
    assert packet.pts is not None
    return packet.pts * packet.time_base
