"""Video reading and writing, against files whose frames show their own numbers, and against decord and FFmpeg."""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import decord
import numpy as np
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.video import FrameReader, VideoWriter, iterate_frames, probe, read_tags
from tests.video_files import click, loudest_time, number_of, numbered, remux, write_video

TAGS = {"title": "test"}


def write_clip(path: Path, count: int, fps: Fraction = Fraction(30), audio_from: Path | None = None, gop: int = 12) -> Path:
    with VideoWriter(path, fps, tags=TAGS, audio_from=audio_from, gop=gop) as writer:
        for number in range(count):
            writer.write(numbered(number))
    return path


def numbers(path: Path, fps: Fraction | None = None) -> list[int]:
    return [number_of(frame) for frame in iterate_frames(path, fps)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """93 numbered frames with a long GOP."""
    return write_clip(tmp_path_factory.mktemp("video") / "clip.mp4", 93, gop=50)


@pytest.fixture(scope="module")
def sounding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of numbered frames with a click at 0.7 s."""
    path = tmp_path_factory.mktemp("video") / "sounding.mp4"
    return write_video(path, [numbered(i) for i in range(90)], sound=click(3, at=0.7))


# Reading


def test_every_frame_comes_once_in_order(clip: Path) -> None:
    info = probe(clip)
    assert (info.width, info.height, info.fps, info.frame_count, info.has_audio) == (96, 64, 30, 93, False)
    assert numbers(clip) == list(range(93))


def test_variable_rate_becomes_constant(tmp_path: Path) -> None:
    times = [0, 33, 67, 100, 200, 233, 267, 300, 333, 350, 400, 433]  # ms: nothing at 133 and 167, and 350 is off the beat
    video = write_video(tmp_path / "variable.mkv", [numbered(i) for i in range(12)], times, Fraction(1, 1000))
    info = probe(video)
    assert info.variable_rate
    assert (info.fps, info.frame_count) == (Fraction(25), 12)  # 11 steps in 0.433 s are 25.4 a second
    assert numbers(video, Fraction(30)) == [0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("first", [0, 1, 7, 11, 12, 40])
def test_frames_from_the_middle_on(tmp_path: Path, first: int) -> None:
    """Read a file that stops for a while, so that frames 10, 11 and more show the same picture."""
    times = [round(1000 * i / 30) + (200 if i > 10 else 0) for i in range(20)]
    video = write_video(tmp_path / "v.mkv", [numbered(i) for i in range(20)], times, Fraction(1, 1000))
    whole = [number_of(frame) for frame in iterate_frames(video)]
    assert [number_of(frame) for frame in iterate_frames(video, first=first)] == whole[first:]


def test_other_rates_leave_out_or_repeat(sounding: Path) -> None:
    assert numbers(sounding, Fraction(10)) == list(range(0, 90, 3))
    assert numbers(sounding, Fraction(15)) == list(range(0, 90, 2))
    assert numbers(sounding, Fraction(60)) == [frame for frame in range(90) for _ in range(2)]


@pytest.mark.parametrize("rate", ["30000/1001", "24000/1001", "60", "18"])
def test_rate_is_recognised_from_rounded_times(tmp_path: Path, rate: str) -> None:
    times = [round(1000 * i / Fraction(rate)) for i in range(150)]  # Matroska stores milliseconds
    video = write_video(tmp_path / "video.mkv", [numbered(i, 16, 16) for i in range(150)], times, Fraction(1, 1000))
    info = probe(video)
    assert not info.variable_rate
    assert abs(info.fps / Fraction(rate) - 1) < 1e-4
    assert info.frame_count == 150


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_rotation_is_undone(clip: Path, tmp_path: Path, degrees: int) -> None:
    turned = remux(clip, tmp_path / "turned.mp4", rotation=degrees)
    upright = next(iterate_frames(turned))
    assert (probe(turned).height, probe(turned).width) == upright.shape[:2]
    np.testing.assert_array_equal(upright, decord.VideoReader(str(turned))[0].asnumpy())


def test_odd_sizes_are_read_and_written(tmp_path: Path) -> None:
    slope = np.linspace(30, 220, 45)[:, None, None] * [0.3, 0.5, 0.2] + np.linspace(30, 220, 63)[None, :, None] * [0.5, 0.4, 0.6]
    frame = slope.astype(np.uint8)  # (45, 63, 3)
    source = write_video(tmp_path / "odd.mkv", [frame] * 3, codec="libx264", pix_fmt="yuv444p")
    assert (probe(source).height, probe(source).width) == (45, 63)
    with VideoWriter(tmp_path / "even.mp4", Fraction(30), tags=TAGS, crf=1) as writer:
        for image in iterate_frames(source):
            writer.write(image)
    written = next(iterate_frames(tmp_path / "even.mp4")).astype(int)
    assert written.shape == (46, 64, 3)
    assert np.abs(written[:45, :63] - frame).mean() < 3
    assert np.abs(written[45, :63] - frame[44]).mean() < 3


def test_edit_list_hides_frames_and_decord_is_refused(clip: Path, tmp_path: Path) -> None:
    cut = remux(clip, tmp_path / "cut.mp4", cut=Fraction(31, 30))
    assert numbers(cut) == list(range(31, 93))
    assert probe(cut).frame_count == 62
    assert len(decord.VideoReader(str(cut))) > 62  # what makes it unfit
    with pytest.raises(ReenactError, match="not a working clip"):
        FrameReader(cut).read([0])


# Bad files


def _cut_off(tmp_path: Path, sounding: Path, movflags: str) -> Path:
    whole = remux(sounding, tmp_path / "whole.mp4", movflags=movflags)
    data = whole.read_bytes()
    (tmp_path / "cut_off.mp4").write_bytes(data[: len(data) // 2])
    return tmp_path / "cut_off.mp4"


def _only_sound(tmp_path: Path, sounding: Path) -> Path:
    with av.open(sounding) as old, av.open(tmp_path / "sound.mp4", "w") as new:
        stream = new.add_stream_from_template(old.streams.audio[0])
        for packet in old.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return tmp_path / "sound.mp4"


def _text(tmp_path: Path, content: str) -> Path:
    (tmp_path / "text.mp4").write_text(content)
    return tmp_path / "text.mp4"


def _scrambled(tmp_path: Path, sounding: Path) -> Path:
    """All pictures after the first second are overwritten; the file's structure is whole."""
    data = bytearray(sounding.read_bytes())
    with av.open(sounding) as container:
        for packet in container.demux(video=0):
            if packet.pts is not None and packet.pos is not None and packet.pts * packet.time_base > 1:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    (tmp_path / "scrambled.mp4").write_bytes(data)
    return tmp_path / "scrambled.mp4"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder, _: folder / "missing.mp4", "there is no such file"),
        (lambda folder, _: folder, "is a folder"),
        (lambda folder, _: _text(folder, ""), r"is empty \(0 bytes\)"),
        (lambda folder, _: _text(folder, "hello " * 100), "is not a video"),
        (_only_sound, "holds only sound"),
        (lambda folder, video: _cut_off(folder, video, ""), "was cut off before its index"),
        (lambda folder, video: _cut_off(folder, video, "+faststart"), "is cut off: it should last 3.0 s"),
        (_scrambled, "is damaged"),
    ],
    ids=["missing", "folder", "empty", "text", "only sound", "no index", "cut off", "scrambled"],
)
def test_bad_files_are_refused_in_a_sentence(
    make: Callable[[Path, Path], Path], message: str, sounding: Path, tmp_path: Path
) -> None:
    path = make(tmp_path, sounding)
    with pytest.raises(ReenactError, match=message) as refusal:
        list(iterate_frames(path))
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


# Writing


def test_tags_and_checksum_can_be_read_back(clip: Path, tmp_path: Path) -> None:
    tags = {"title": "Überschrift", "comment": "AI-generated", "description": '{"a": 1}'}
    with VideoWriter(tmp_path / "tagged.mp4", Fraction(25), tags=tags) as writer:
        writer.write(numbered(0))
    assert tags.items() <= read_tags(tmp_path / "tagged.mp4").items()
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_colours_survive(tmp_path: Path) -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128], [230, 180, 150]], dtype=np.uint8)
    frame = colours[None].repeat(48, 0).repeat(32, 1)
    with VideoWriter(tmp_path / "colours.mp4", Fraction(25), tags=TAGS, crf=5) as writer:
        writer.write(frame)
    read = next(iterate_frames(tmp_path / "colours.mp4"))[24, 16::32].astype(int)
    assert np.abs(read - colours).max() <= 4


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "half.mp4", Fraction(30), tags=TAGS) as writer:
            writer.write(numbered(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_older_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 3)
    before = sha256_of(path)
    with pytest.raises(ReenactError, match="no frame to write"), VideoWriter(path, Fraction(30), tags=TAGS):
        pass
    assert (sha256_of(path), list(tmp_path.iterdir())) == (before, [path])


def test_unwritable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReenactError, match=r"out\.mp4 cannot be written"):
        VideoWriter(tmp_path / "file" / "out.mp4", Fraction(30), tags=TAGS)


def test_frames_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint8"), VideoWriter(tmp_path / "a.mp4", Fraction(30), tags=TAGS) as writer:
        writer.write(np.zeros((8, 8, 3), dtype=np.float32))  # type: ignore[arg-type]
    with VideoWriter(tmp_path / "a.mp4", Fraction(30), tags=TAGS) as writer:
        writer.write(numbered(0, 64, 64))
        with pytest.raises(ValueError, match="in a video of"):
            writer.write(numbered(0, 64, 80))


# Sound


def test_aac_is_copied_as_it_is(sounding: Path, tmp_path: Path) -> None:
    written = write_clip(tmp_path / "out.mp4", 90, audio_from=sounding)
    packets = []
    for path in (sounding, written):
        with av.open(path) as container:
            packets.append([bytes(packet) for packet in container.demux(audio=0) if packet.size])
    assert packets[1] == packets[0][: len(packets[1])]
    assert len(packets[0]) - len(packets[1]) <= 1  # the last one may begin after the last picture
    assert loudest_time(written) == pytest.approx(0.7, abs=0.005)


@pytest.mark.parametrize("codec", ["pcm_s16le", "flac"])
def test_other_sound_becomes_aac_in_step(tmp_path: Path, codec: str) -> None:
    source = write_video(tmp_path / "source.mkv", [numbered(i) for i in range(90)], sound=click(3, at=0.7), sound_codec=codec)
    written = write_clip(tmp_path / "out.mp4", 90, audio_from=source)
    with av.open(written) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    assert loudest_time(written) == pytest.approx(0.7, abs=0.005)


def test_sound_is_cut_to_the_pictures(sounding: Path, tmp_path: Path) -> None:
    written = write_clip(tmp_path / "short.mp4", 30, audio_from=sounding)
    with av.open(written) as container:
        assert container.duration / av.time_base == pytest.approx(1.0, abs=0.03)


def test_sound_follows_an_edit_list(sounding: Path, tmp_path: Path) -> None:
    cut = remux(sounding, tmp_path / "cut.mp4", cut=Fraction(1, 2))
    written = write_clip(tmp_path / "out.mp4", 75, audio_from=cut)
    assert loudest_time(written) == pytest.approx(0.2, abs=0.005)


def test_sound_that_begins_before_the_pictures(tmp_path: Path) -> None:
    frames, times = [numbered(i) for i in range(75)], list(range(15, 90))  # the first picture is shown at 0.5 s
    source = write_video(tmp_path / "late.mkv", frames, times, sound=click(3, at=0.7), sound_codec="flac")
    written = write_clip(tmp_path / "out.mp4", 75, audio_from=source)
    assert loudest_time(written) == pytest.approx(0.2, abs=0.005)
    assert probe(written).frame_count == 75


# Random access


def test_reader_gives_the_frames_of_the_sequential_reader(clip: Path) -> None:
    frames = np.stack(list(iterate_frames(clip)))
    reader = FrameReader(clip)
    order = [0, 92, 5, 5, 51, 49, 50, 4, 3]
    np.testing.assert_array_equal(reader.read(order).numpy(), frames[order])
    np.testing.assert_array_equal(reader[10:14].numpy(), frames[10:14])
    assert len(reader) == 93
    assert reader.read([]).shape == (0, 64, 96, 3)
    with pytest.raises(IndexError, match="which has 93"):
        reader.read([93])


def _read_number(reader: FrameReader, index: int, answers: multiprocessing.Queue[int]) -> None:
    answers.put(number_of(reader.read([index])[0].numpy()))


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_a_slow_reader_does_not_fill_the_memory(tmp_path: Path) -> None:
    """Read 1,000 frames of 0.2 MB, which are decoded much faster than they are asked for."""

    def anonymous() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

    with VideoWriter(tmp_path / "clip.mp4", Fraction(30), tags={}) as video:
        for number in range(1000):
            video.write(numbered(number % 256, 256, 256))
    reader = FrameReader(tmp_path / "clip.mp4")
    memory = []
    for start in range(0, 1000, 20):
        assert [number_of(frame.numpy()) for frame in reader.read(range(start, start + 20))] == [
            number % 256 for number in range(start, start + 20)
        ]
        time.sleep(0.05)
        memory.append(anonymous())
    assert max(memory) - memory[0] < 100, memory[::5]  # all of them: 200 MB


def test_reader_opened_before_a_fork_works_in_the_child(clip: Path) -> None:
    reader = FrameReader(clip)
    reader.read([0])
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_read_number, args=(reader, 77, answers), daemon=True)
    child.start()
    assert answers.get(timeout=30) == 77
    child.join(timeout=30)
    assert child.exitcode == 0


def test_open_reader_can_be_pickled(clip: Path) -> None:
    reader = FrameReader(clip)
    reader.read([0])
    assert number_of(pickle.loads(pickle.dumps(reader)).read([40])[0].numpy()) == 40


@pytest.mark.parametrize("name", ["d6", "d9", "d10", "d14"])
def test_real_clips_read_alike(shared_dir: Path, name: str) -> None:
    path = shared_dir / "videos" / f"{name}.mp4"
    some = dict(islice(enumerate(iterate_frames(path)), 0, None, 100))
    np.testing.assert_array_equal(FrameReader(path).read(list(some)).numpy(), np.stack(list(some.values())))
