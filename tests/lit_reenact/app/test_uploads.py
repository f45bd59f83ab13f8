"""Files from a browser: their names, and files that are no video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lit_reenact.app.uploads import check_video, choose_track_folder, name_upload_in_errors, safe_name
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.tracking.trackfile import save_track
from tests.factories import make_track


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("me talking.mp4", "me-talking"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\evil.mp4", "evil"),
        ("...mp4", "video"),
        ("", "video"),
        ("<b>&\"'.mov", "b"),
        ("größe 1.mp4", "größe-1"),
        (200 * "a" + ".mp4", 60 * "a"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert safe_name(name) == expected


def test_what_is_no_video_is_name_upload_in_errors(tmp_path: Path) -> None:
    upload = tmp_path / "a1b2c3" / "notes.mp4"
    upload.parent.mkdir()
    upload.write_text("no video")
    with pytest.raises(ReenactError, match=r"^notes\.mp4 ") as caught:
        check_video(str(upload))
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(ReenactError, match="choose a video"):
        check_video(None)


def test_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), name_upload_in_errors(tmp_path):
        1 / 0  # noqa: B018


def test_two_videos_of_one_name_have_two_folders(tmp_path: Path) -> None:
    tracks, upload = tmp_path / "tracks", tmp_path / "upload" / "me.mp4"
    upload.parent.mkdir()
    upload.write_bytes(b"another video")
    assert choose_track_folder(upload, tracks) == tracks / "me"
    track = make_track(tracks / "me", frames=12, size=32)
    assert choose_track_folder(upload, tracks) == tracks / "me-2"
    save_track(replace(track, info=replace(track.info, source_sha256=sha256_of(upload))), tracks / "me")
    assert choose_track_folder(upload, tracks) == tracks / "me"
