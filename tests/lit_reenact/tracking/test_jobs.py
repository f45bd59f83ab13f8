"""Jobs from manifests and arguments, and the shares of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.tracking.jobs import Job, make_jobs, parse_shard, read_manifest, select_shard


def manifest(folder: Path, text: str) -> Path:
    path = folder / "videos.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_manifest_by_hand(tmp_path: Path) -> None:
    text = "# people\n\na.mp4\n  sub/b.mov , beth\n/abs/c, d.mp4\tcarl\n\t\n"
    assert read_manifest(manifest(tmp_path, text)) == [
        (tmp_path / "a.mp4", "a"),
        (tmp_path / "sub/b.mov", "beth"),
        (Path("/abs/c, d.mp4"), "carl"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("good.mp4\na.mp4,b,c\n", "line 2: 'a.mp4,b,c'"),
        (",name\n", "line 1"),
        ("a.mp4\t../up\n", "line 1"),
        ("a.mp4,\n", "line 1"),
        ("# nothing\n", "names no video"),
    ],
)
def test_bad_manifests(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match=reason):
        read_manifest(manifest(tmp_path, text))


def test_files_that_are_no_manifests(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(bytes(range(256)))
    with pytest.raises(ReenactError, match=r"video\.mp4 is not a UTF-8 text file"):
        read_manifest(tmp_path / "video.mp4")
    with pytest.raises(ReenactError, match=r"missing\.txt cannot be read"):
        read_manifest(tmp_path / "missing.txt")


def test_a_video_counts_once_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "clip.mp4", tmp_path / "b" / "clip.mp4"
    assert make_jobs([(first, "one"), (first, "one"), (second, "two")], tmp_path) == [
        Job(first, tmp_path / "one"),
        Job(second, tmp_path / "two"),
    ]
    with pytest.raises(ReenactError, match=r"a/clip\.mp4 and .*b/clip\.mp4"):
        make_jobs([(first, "clip"), (second, "clip")], tmp_path)


@pytest.mark.parametrize("count", [1, 3, 7, 20])
def test_shards_are_disjoint_and_complete(count: int) -> None:
    jobs = [Job(Path(f"{k}.mp4"), Path(str(k))) for k in range(13)]
    parts = [select_shard(jobs, index, count) for index in range(1, count + 1)]
    assert sorted((job for part in parts for job in part), key=jobs.index) == jobs
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_shard_by_hand() -> None:
    assert parse_shard("2/8") == (2, 8)
    for wrong in ("0/8", "9/8", "2", "a/b", "-1/2", "1/"):
        with pytest.raises(ReenactError, match="--shard"):
            parse_shard(wrong)
