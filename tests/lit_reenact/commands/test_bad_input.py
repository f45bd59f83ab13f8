"""Bad input of every kind gets one sentence and exit code 2, and leaves no file behind."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lit_reenact.commands.main import main
from lit_reenact.tracking.trackfile import CLIP_NAME, TRACK_NAME
from lit_reenact.video import VideoWriter
from tests.factories import make_module, make_track

Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Function that runs a command which must be refused, and returns its sentence."""

    def run(*words: object) -> str:
        assert main([str(word) for word in words]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        sentence = lines[-1]
        assert sentence.startswith("lit-reenact: ")
        assert "Traceback" not in "".join(lines)
        return sentence

    return run


def write_video(path: Path, frames: list[np.ndarray]) -> Path:
    with VideoWriter(path, Fraction(25), tags={}) as video:
        for frame in frames:
            video.write(frame)
    return path


def faces(count: int) -> list[np.ndarray]:
    """Return frames of a portrait that moves a little."""
    photograph = astronaut()
    return [np.ascontiguousarray(photograph[:300, 80 + k % 5 : 380 + k % 5]) for k in range(count)]


def walls(count: int) -> list[np.ndarray]:
    return [np.full((300, 300, 3), 128, np.uint8)] * count


def missing(folder: Path) -> Path:
    return folder / "missing.mp4"


def words(folder: Path) -> Path:
    (folder / "words.mp4").write_text("This is not a video. " * 100)
    return folder / "words.mp4"


def zero_bytes(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def truncated(folder: Path) -> Path:
    """Only the first half of a file whose index stands at its end."""
    with av.open(folder / "whole.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for k in range(50):
            noise = np.random.default_rng(k).integers(0, 255, (64, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    content = (folder / "whole.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(content[: len(content) // 2])
    return folder / "cut.mp4"


def audio_only(folder: Path) -> Path:
    with av.open(folder / "sound.mp4", "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return folder / "sound.mp4"


def no_face(folder: Path) -> Path:
    return write_video(folder / "wall.mp4", walls(30))


def a_few_faces(folder: Path) -> Path:
    return write_video(folder / "few.mp4", walls(30) + faces(5))


def shorter_than_a_window(folder: Path) -> Path:
    return write_video(folder / "short.mp4", faces(6))


VIDEOS = (
    (missing, "no such file"),
    (words, "not a video"),
    (zero_bytes, "empty"),
    (truncated, "cut"),
    (audio_only, "no picture|only sound|no video"),
    (no_face, "no face"),
    (a_few_faces, "face"),
    (shorter_than_a_window, "11"),
)


@pytest.mark.parametrize(("make", "reason"), VIDEOS, ids=lambda value: getattr(value, "__name__", ""))
def test_unusable_videos(make: Callable[[Path], Path], reason: str, tmp_path: Path, refused: Refused) -> None:
    video = make(tmp_path)
    output = tmp_path / "tracks"
    sentence = refused("track", video, "-o", output)
    assert video.name in sentence
    assert re.search(reason, sentence, re.IGNORECASE), sentence
    assert not [file for file in output.rglob("*") if file.is_file()]


def test_one_bad_video_does_not_stop_the_rest(tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = refused("track", zero_bytes(tmp_path), words(tmp_path), "-o", tmp_path / "tracks")
    assert "empty.mp4" in sentence
    assert "words.mp4" in sentence


def test_two_videos_of_one_name(tmp_path: Path, refused: Refused) -> None:
    first, second = tmp_path / "a" / "clip.mp4", tmp_path / "b" / "clip.mov"
    sentence = refused("track", first, second, "-o", tmp_path / "tracks")
    assert "a/clip.mp4" in sentence
    assert "b/clip.mov" in sentence


@pytest.fixture(scope="module")
def reenactment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small track and a checkpoint that fits it."""
    folder = tmp_path_factory.mktemp("reenactment")
    make_track(folder / "track", frames=24, size=32)
    module = make_module(generator={"max_channels": 512}, discriminator={"layers": 3}, losses={"lpips": 10.0})
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, folder / "fit.ckpt")
    return folder


def reenact(folder: Path, target: Path, checkpoint: Path, output: Path) -> tuple[object, ...]:
    return "reenact", "--source", folder / "track", "--target", target, "--checkpoint", checkpoint, "-o", output


def with_metadata(folder: Path, changed: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Copy the track with changed metadata."""
    content = (folder / "track" / TRACK_NAME).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    block = json.loads(header["__metadata__"]["track"])
    change(block)
    header["__metadata__"]["track"] = json.dumps(block)
    text = json.dumps(header).encode()
    changed.mkdir()
    (changed / TRACK_NAME).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    (changed / CLIP_NAME).write_bytes((folder / "track" / CLIP_NAME).read_bytes())
    return changed


def test_a_good_reenactment_is_written(reenactment: Path, tmp_path: Path) -> None:
    """The inputs of the refusals below are good apart from what each of them changes."""
    output = tmp_path / "out.mp4"
    assert main([str(word) for word in reenact(reenactment, reenactment / "track", reenactment / "fit.ckpt", output)]) == 0
    assert output.is_file()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda block: block.update(schema=999), "schema 999"),
        (lambda block: block["info"].update(face_model="flame"), "face model 'flame'"),
        (lambda block: block["info"].update(face_model_hash="0000"), "another version of the face model"),
    ],
)
def test_unusable_tracks(
    change: Callable[[dict[str, Any]], object], reason: str, reenactment: Path, tmp_path: Path, refused: Refused
) -> None:
    track = with_metadata(reenactment, tmp_path / "changed", change)
    assert reason in refused(*reenact(reenactment, track, reenactment / "fit.ckpt", tmp_path / "out.mp4"))
    assert not list(tmp_path.glob("*.mp4"))


def test_a_damaged_track(reenactment: Path, tmp_path: Path, refused: Refused) -> None:
    content = (reenactment / "track" / TRACK_NAME).read_bytes()
    (tmp_path / TRACK_NAME).write_bytes(content[: len(content) // 2])
    assert "damaged" in refused(*reenact(reenactment, tmp_path, reenactment / "fit.ckpt", tmp_path / "out.mp4"))


def test_a_checkpoint_of_another_network(reenactment: Path, tmp_path: Path, refused: Refused) -> None:
    state = torch.load(reenactment / "fit.ckpt", weights_only=True)
    torch.save(
        {**state, "hyper_parameters": {**state["hyper_parameters"], "generator": {"channels": 8}}}, tmp_path / "other.ckpt"
    )
    sentence = refused(*reenact(reenactment, reenactment / "track", tmp_path / "other.ckpt", tmp_path / "out.mp4"))
    assert "other.ckpt does not match" in sentence


def test_a_checkpoint_of_another_target(reenactment: Path, tmp_path: Path, refused: Refused) -> None:
    state = torch.load(reenactment / "fit.ckpt", weights_only=True)
    torch.save({**state, "TrackDataModule": {"source": ["someone.mp4"], "clip_sha256": ["0" * 64]}}, tmp_path / "other.ckpt")
    sentence = refused(*reenact(reenactment, reenactment / "track", tmp_path / "other.ckpt", tmp_path / "out.mp4"))
    assert "someone.mp4" in sentence
    assert not list(tmp_path.glob("*.mp4"))


def test_an_output_folder_that_cannot_be_written(reenactment: Path, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "out.mp4"
    assert "cannot be written" in refused(*reenact(reenactment, reenactment / "track", reenactment / "fit.ckpt", output))
    assert "file" in refused("track", write_video(tmp_path / "face.mp4", faces(30)), "-o", tmp_path / "file")


def test_an_unknown_setting(reenactment: Path, tmp_path: Path, refused: Refused) -> None:
    words = ("fit", "--track", reenactment / "track", "--output", tmp_path / "runs")
    assert "lamda_l1" in refused(*words, "--model.lamda_l1", 10)
    assert not (tmp_path / "runs").exists()


def test_a_demo_needs_both_videos_or_none(refused: Refused) -> None:
    assert "--source" in refused("demo", "--target", "a.mp4")
