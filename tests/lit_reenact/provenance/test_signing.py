"""Signed videos: what their signature says, and which changes it finds."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.provenance import Ingredient, Model, Record, is_ai_generated, make_signer, open_generated_video, sign
from lit_reenact.provenance.certificate import CERTIFICATE_VARIABLE, KEY_VARIABLE
from lit_reenact.provenance.verifying import describe_manifest, describe_signer, read_signature
from lit_reenact.video import VideoWriter, read_tags

INTACT, ALTERED, BAD_INPUT, UNSIGNED = 0, 1, 2, 3

RECORD = Record(
    title="b.mp4 reenacted by a.mp4",
    ingredients=(Ingredient("target", "b.mp4", "b" * 64), Ingredient("source", "a.mp4", "a" * 64)),
    model=Model("last.ckpt", "c" * 64),
    settings={"policy": {"rotation": "absolute", "expression": {"gain": 1.5}}},
)


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv(CERTIFICATE_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def _write(path: Path, record: Record = RECORD) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (5, 48, 64, 3), np.uint8)
    with open_generated_video(path, Fraction(25), record) as video:
        for frame in noise:
            video.write(frame)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return _write(tmp_path / "videos" / "made.mp4")


def boxes(content: bytes | bytearray) -> dict[str, tuple[int, int]]:
    """Return first and end byte of the top-level boxes of an mp4 (ISO 14496-12)."""
    found, start = {}, 0
    while start < len(content):
        size = int.from_bytes(content[start : start + 4], "big")
        found[content[start + 4 : start + 8].decode()] = (start, start + size)
        start += size
    return found


def test_a_generated_video_says_what_it_was_made_of_by_whom(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(video)]) == INTACT
    said = capsys.readouterr().out
    for fact in (
        "intact",
        "b.mp4 reenacted by a.mp4",
        "AI-generated: every frame",
        "target b.mp4, SHA-256 " + "b" * 64,
        "source a.mp4, SHA-256 " + "a" * 64,
        "last.ckpt, SHA-256 " + "c" * 64,
        "rotation: absolute\n",
        "expression: gain 1.5\n",
        "your own certificate",
    ):
        assert fact in said
    assert is_ai_generated(read_tags(video))
    assert [path.name for path in video.parent.iterdir()] == ["made.mp4"]


def test_a_composite_says_so(tmp_path: Path) -> None:
    signature = read_signature(_write(tmp_path / "pasted.mp4", replace(RECORD, composite=True, model=None)))
    assert signature is not None
    lines = list(describe_manifest(signature.manifest))
    assert any(line.startswith("AI-generated in part") for line in lines)
    assert not any(line.startswith("Network") for line in lines)


def test_the_frames_are_those_of_an_unsigned_video(video: Path, tmp_path: Path) -> None:
    unsigned = tmp_path / "unsigned.mp4"
    with VideoWriter(unsigned, Fraction(25), tags=RECORD.tags()) as writer:
        for frame in np.random.default_rng(0).integers(0, 255, (5, 48, 64, 3), np.uint8):
            writer.write(frame)
    frames = []
    for path in (video, unsigned):
        with av.open(path) as container:
            frames.append(np.stack([frame.to_ndarray() for frame in container.decode(video=0)]))
    assert np.array_equal(frames[0], frames[1])


@pytest.mark.parametrize("box", ["moov", "mdat"])
@pytest.mark.parametrize("place", [0.1, 0.35, 0.6, 0.999])
def test_one_flipped_bit_in_the_video_is_found(video: Path, box: str, place: float) -> None:
    content = bytearray(video.read_bytes())
    start, stop = boxes(content)[box]
    content[int(start + 8 + place * (stop - start - 8))] ^= 1
    video.write_bytes(content)
    assert main(["verify", str(video)]) == ALTERED


@pytest.mark.parametrize("words", [b"b.mp4 reenacted", b"b" * 64, b"a" * 64, b"c" * 64, b"trainedAlgorithmicMedia", b"gain"])
def test_no_word_of_the_record_can_be_changed(video: Path, words: bytes) -> None:
    content = bytearray(video.read_bytes())
    start, stop = boxes(content)["uuid"]
    content[content.index(words, start, stop)] ^= 1
    video.write_bytes(content)
    assert main(["verify", str(video)]) == ALTERED


def test_a_piece_that_was_cut_off_or_put_on_is_found(video: Path) -> None:
    content = video.read_bytes()
    for changed in (content[: len(content) * 3 // 4], content + b"more"):
        video.write_bytes(changed)
        assert main(["verify", str(video)]) == ALTERED


def test_a_rewritten_container_has_lost_its_signature(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.mp4"
    with av.open(video) as source, av.open(copy, "w") as target:
        target.metadata.update(source.metadata)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert main(["verify", str(copy)]) == UNSIGNED
    assert "tags say that it is AI-generated" in capsys.readouterr().out


def test_what_was_never_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with VideoWriter(tmp_path / "plain.mp4", Fraction(25), tags={}) as writer:
        writer.write(np.zeros((32, 32, 3), np.uint8))
    assert main(["verify", str(tmp_path / "plain.mp4")]) == UNSIGNED
    assert "proves nothing" in capsys.readouterr().out


def test_what_is_no_video_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").touch()
    for name in ("text.mp4", "empty.mp4", "missing.mp4"):
        assert main(["verify", str(tmp_path / name)]) == BAD_INPUT


def test_somebody_elses_signature_is_intact_but_not_vouched_for(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    sign(_write(tmp_path / "mine.mp4"), RECORD)  # now this user has a certificate too
    assert main(["verify", str(video)]) == INTACT
    assert "somebody else" in capsys.readouterr().out


def test_a_line_break_in_a_name_cannot_pretend_to_be_a_fact(tmp_path: Path) -> None:
    signature = read_signature(_write(tmp_path / "sly.mp4", replace(RECORD, title="x\nSigned by the king.\x1b[2J")))
    assert signature is not None
    lines = [*describe_manifest(signature.manifest), describe_signer(signature)]
    assert "Title: x Signed by the king. [2J" in lines
    assert all(line.isprintable() for line in lines)


def test_a_strange_manifest_is_no_fault_of_the_program() -> None:
    assertion = {"label": "lit_reenact.record", "data": {"model": "not a dictionary"}}
    manifests: list[dict[str, Any]] = [{"claim_generator_info": []}, {"assertions": [assertion]}, {"assertions": 1}]
    for manifest in manifests:
        assert list(describe_manifest(manifest))[-1] == "The rest of the record is not in a known form."


def test_a_certificate_that_c2pa_does_not_accept_is_refused_before_the_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "mine.pem", tmp_path / "mine.key"  # signed by itself
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ed25519", "-subj", "/CN=me"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    monkeypatch.setenv(CERTIFICATE_VARIABLE, str(certificate))
    monkeypatch.setenv(KEY_VARIABLE, str(key))
    with pytest.raises(ReenactError, match="cannot be signed"):
        make_signer(RECORD)
    with pytest.raises(ReenactError, match="cannot be signed"):
        open_generated_video(tmp_path / "videos" / "made.mp4", Fraction(25), RECORD)
    assert not (tmp_path / "videos").exists()


def test_a_file_that_cannot_be_signed_stays_as_it_was(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with pytest.raises(ReenactError, match="cannot be signed"):
        sign(text, RECORD)
    assert text.read_text() == "not a video"
    assert {path.name for path in tmp_path.iterdir()} == {"text.mp4", "settings"}
