"""Finished videos: resuming after a kill, the original around the crop, frame rates, sound and the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import CropBox
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Record, is_ai_generated
from lit_reenact.synthesis import FullFrames, ReenactmentSettings, VideoPlan, resumable_writer, write_reenactment, write_video
from lit_reenact.synthesis.driven_video import Role
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import PRESETS
from lit_reenact.video import iterate_frames, probe, read_tags
from tests.factories import make_module, make_track
from tests.video_files import click, loudest_time, numbered
from tests.video_files import write_video as write_file

RECORD = Record("a test", ())


class KilledError(Exception):
    pass


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setattr(resumable_writer, "PIECE", 12)


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    module = make_module()
    torch.nn.init.normal_(module.generator.to_frame.weight, std=0.2)
    return module.generator.eval()


def clip(folder: Path, frames: int, fps: int, seed: int = 0) -> TrackedClip:
    make_track(folder, frames=frames, size=32, fps=Fraction(fps), seed=seed)
    return TrackedClip.load(folder)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> TrackedClip:
    return clip(tmp_path_factory.mktemp("target"), 40, 5)


def frames_of(video: Path) -> np.ndarray:
    return np.stack(list(iterate_frames(video)))


def test_what_was_killed_goes_on_with_the_same_frames(target: TrackedClip, generator: Generator, tmp_path: Path) -> None:
    calls: list[int] = []

    def write(output: Path, die_at: int) -> None:
        def retouch(numbers: slice, frames: Tensor) -> Tensor:
            if numbers.stop > die_at:
                raise KilledError
            calls.append(numbers.start)
            return frames

        def driving(numbers: slice) -> Tensor:
            return target.read(numbers, generator.image_size)

        plan = VideoPlan(output, target.fps, target.track.parameters, RECORD, cuts=(15,))
        write_video(plan, target, generator, retouch=retouch, driving=driving)

    path, whole = tmp_path / "killed" / "out.mp4", tmp_path / "whole" / "out.mp4"
    with pytest.raises(KilledError):
        write(path, die_at=33)
    assert not path.exists()
    calls.clear()
    write(path, die_at=1000)
    assert min(calls) == 24
    write(whole, die_at=1000)
    for name in ("out.mp4", "out_side_by_side.mp4"):
        assert np.array_equal(frames_of(path.with_name(name)), frames_of(whole.with_name(name)))
    assert not [file for file in path.parent.iterdir() if file.name.startswith(".")]


def test_other_parameters_are_another_video(target: TrackedClip, generator: Generator, tmp_path: Path) -> None:
    def write(gaze: float, retouch: Callable[[slice, Tensor], Tensor]) -> None:
        parameters = target.track.parameters.replace(gaze=target.track.parameters.gaze + gaze)
        write_video(VideoPlan(tmp_path / "out.mp4", target.fps, parameters, RECORD), target, generator, retouch=retouch)

    def die(numbers: slice, frames: Tensor) -> Tensor:
        if numbers.stop > 33:
            raise KilledError
        return frames

    def remember_start(numbers: slice, frames: Tensor) -> Tensor:
        starts.append(numbers.start)
        return frames

    starts: list[int] = []
    with pytest.raises(KilledError):
        write(0.0, die)
    write(0.1, remember_start)
    assert starts[0] == 0


@pytest.fixture
def original(target: TrackedClip, tmp_path: Path) -> tuple[TrackedClip, Path]:
    """A target whose crop is the middle of a larger video, and that video, whose frames show their numbers."""
    video = write_file(tmp_path / "original.mp4", [numbered(k) for k in range(40)], list(range(40)), Fraction(1, 5))
    info = replace(target.track.info, source=video.name, source_sha256=sha256_of(video), crop=CropBox(20, 10, 40))
    return replace(target, track=replace(target.track, info=info)), video


def test_around_the_crop_lies_the_original(
    original: tuple[TrackedClip, Path], generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pixel outside the crop equals the original before encoding, for frames played forwards and backwards."""
    frames: list[np.ndarray] = []
    write = resumable_writer.ResumableWriter.write
    monkeypatch.setattr(resumable_writer.ResumableWriter, "write", lambda self, frame: (frames.append(frame), write(self, frame)))
    target, video = original
    numbers = [*range(40), *range(38, 28, -1)]
    parameters = target.track.parameters[torch.tensor(numbers)]
    full_frames = FullFrames(target.track, video, numbers)
    plan = VideoPlan(tmp_path / "out.mp4", target.fps, parameters, RECORD, full_frames=full_frames)
    write_video(plan, target, generator)
    real = list(iterate_frames(video))
    outside = np.ones((64, 96), dtype=bool)
    outside[10:50, 20:60] = False
    assert len(frames) == 50
    for frame, number in zip(frames, numbers, strict=True):
        assert np.array_equal(frame[outside], real[number][outside])
        assert not np.array_equal(frame[~outside], real[number][~outside])


@pytest.mark.parametrize(("rate", "fps", "count"), [("target", 5, 25), ("source", 15, 75)])
def test_the_source_at_another_rate(
    rate: Role, fps: int, count: int, target: TrackedClip, generator: Generator, tmp_path: Path
) -> None:
    """75 frames at 15 a second last as long at 5 a second, and every frame keeps its time."""
    source = clip(tmp_path / "source", 75, 15, seed=3)
    settings = ReenactmentSettings(rate=rate)
    written = write_reenactment(source, target, generator, tmp_path / "out.mp4", settings, progress=False)
    info = probe(written.video)
    assert (info.frame_count, info.fps, info.duration) == (count, Fraction(fps), pytest.approx(5.0, abs=0.01))
    driving = source.read(range(0, 75, 15 // fps), 32).numpy().astype(float)
    left = frames_of(written.side_by_side)[:, :, :32].astype(float)
    assert np.abs(left - driving).mean() < 3
    assert np.abs(left[1:] - driving[:-1]).mean() > 2 * np.abs(left - driving).mean()


@pytest.mark.parametrize(("sound", "heard"), [("source", 1.5), ("target", 0.5), (None, None)])
def test_whose_sound_is_heard(sound: Role | None, heard: float | None, generator: Generator, tmp_path: Path) -> None:
    def with_click(folder: Path, name: str, at: float) -> TrackedClip:
        """Make a clip with a click at a time in seconds."""
        silent = clip(folder / name, 20, 5)
        frames = list(iterate_frames(silent.clip))
        write_file(silent.clip, frames, list(range(20)), Fraction(1, 5), sound=click(4.0, at=at))
        return TrackedClip.load(folder / name)

    source, target = with_click(tmp_path, "source", 1.5), with_click(tmp_path, "target", 0.5)
    settings = ReenactmentSettings(sound=sound)
    written = write_reenactment(source, target, generator, tmp_path / "out.mp4", settings, progress=False)
    assert probe(written.video).has_audio == (heard is not None)
    if heard is not None:
        assert loudest_time(written.video) == pytest.approx(heard, abs=0.03)


def test_the_record_tells_policy_and_people(original: tuple[TrackedClip, Path], generator: Generator, tmp_path: Path) -> None:
    target, video = original
    source = clip(tmp_path / "source", 30, 5, seed=2)
    settings = ReenactmentSettings(policy=PRESETS["dubbing"], original=video, label=True)
    written = write_reenactment(source, target, generator, tmp_path / "out.mp4", settings, progress=False)
    tags = read_tags(written.video)
    assert is_ai_generated(tags)
    assert json.loads(tags["description"])["policy"] == PRESETS["dubbing"].to_dict()
    assert json.loads(written.guard_file.read_text())["frames"] == 30
    assert frames_of(written.video).shape == (30, 64, 96, 3)


def test_one_still_frame_under_all(original: tuple[TrackedClip, Path], generator: Generator, tmp_path: Path) -> None:
    target, video = original
    source = clip(tmp_path / "source", 24, 5, seed=2)
    settings = ReenactmentSettings(original=video, still=True)
    written = write_reenactment(source, target, generator, tmp_path / "out.mp4", settings, progress=False)
    around = frames_of(written.video)[:, :8].astype(int)
    assert np.abs(around - around[0]).max() <= 3


def test_driven_by_oneself_is_self_reenactment(target: TrackedClip, generator: Generator, tmp_path: Path) -> None:
    itself = write_reenactment(target, target, generator, tmp_path / "out.mp4", progress=False)
    write_video(VideoPlan(tmp_path / "own.mp4", target.fps, target.track.parameters, RECORD), target, generator)
    assert np.array_equal(frames_of(itself.video), frames_of(tmp_path / "own.mp4"))
