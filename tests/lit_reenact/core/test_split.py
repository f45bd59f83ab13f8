"""The split of a clip: ranges worked out by hand, gaps, and clips that are too short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import LAST_FIFTH, PROTOCOLS, ProtocolName, Split, SplitSettings, temporal_split

BY_COUNT = [name for name in PROTOCOLS if name != LAST_FIFTH]


@pytest.mark.parametrize(
    ("protocol", "frames", "fps", "train", "validation", "test"),
    [
        ("last-fifth", 600, 30, range(420), range(450, 480), range(510, 600)),
        ("last-fifth", 251, 25, range(176), range(201, 201), None),  # too short for a validation part
        ("insta-350", 2350, 30, range(1800), range(1830, 1970), range(2000, 2350)),
        ("flashavatar-500", 3000, 25, range(2250), range(2275, 2475), range(2500, 3000)),
        ("first-1800-last-600", 2400, 30, range(1620), range(1650, 1770), range(1800, 2400)),
        ("first-1800-last-600", 3000, 30, range(1620), range(1650, 1800), range(2400, 3000)),
    ],
)
def test_ranges_worked_out_by_hand(
    protocol: ProtocolName, frames: int, fps: float, train: range, validation: range, test: range | None
) -> None:
    settings = SplitSettings(protocol=protocol)
    if test is None:
        with pytest.raises(ReenactError, match="leave 0 for its validation part"):
            temporal_split(frames, fps, settings)
    else:
        assert temporal_split(frames, fps, settings) == Split(train, validation, test, protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fps", [24, 29.97, 60])
@pytest.mark.parametrize("frames", [2400, 2531, 4007])
def test_a_second_lies_between_all_parts(protocol: ProtocolName, fps: float, frames: int) -> None:
    split = temporal_split(frames, fps, SplitSettings(protocol=protocol), window=1)
    assert split.train.start == 0
    assert split.test.stop == frames
    for earlier, later in ((split.train, split.validation), (split.validation, split.test)):
        assert later.start - earlier.stop >= round(fps)
    if protocol in BY_COUNT:
        assert len(split.test) == int(re.findall(r"\d+", protocol)[-1])


@pytest.mark.parametrize("protocol", BY_COUNT)
@pytest.mark.parametrize("fps", [25, 30])
def test_a_short_clip_is_refused_with_the_frames_that_it_needs(protocol: ProtocolName, fps: float) -> None:
    settings = SplitSettings(protocol=protocol)
    with pytest.raises(ReenactError, match=rf"{protocol} needs \d+ frames .* but the clip has 300: use a longer") as error:
        temporal_split(300, fps, settings)
    needed = int(re.findall(r"needs (\d+) frames", str(error.value))[0])
    assert len(temporal_split(needed, fps, settings).validation) >= 11
    with pytest.raises(ReenactError, match=f"needs {needed} frames"):
        temporal_split(needed - 1, fps, settings)


def test_the_needed_frames_are_those_of_a_calculation_by_hand() -> None:
    """705 frames: 634 train, and 71 less two gaps of 30 leave a window of 11. 704 frames: 634 train, which leaves 10."""
    with pytest.raises(ReenactError, match=r"insta-350 needs 1055 frames for windows of 11 at 30 frames per second"):
        temporal_split(600, 30, SplitSettings(protocol="insta-350"))
    with pytest.raises(ReenactError, match=r"first-1800-last-600 needs 2400 frames"):
        temporal_split(2399, 30, SplitSettings(protocol="first-1800-last-600"))


def test_a_frame_rate_that_no_clip_length_helps_is_refused() -> None:
    with pytest.raises(ReenactError, match=r"first-1800-last-600 leaves no validation part at 240 frames per second"):
        temporal_split(5000, 240, SplitSettings(protocol="first-1800-last-600"))


@pytest.mark.parametrize("protocol", BY_COUNT)
def test_less_footage_changes_the_training_part_alone(protocol: ProtocolName) -> None:
    whole = temporal_split(2600, 30, SplitSettings(protocol=protocol))
    less = temporal_split(2600, 30, SplitSettings(protocol=protocol, training_frames=500))
    assert less == Split(range(500), whole.validation, whole.test, protocol)
    with pytest.raises(ReenactError, match=rf"training_frames is 2500: choose 11 \(a window\) to {len(whole.train)} "):
        temporal_split(2600, 30, SplitSettings(protocol=protocol, training_frames=2500))


def test_fractions_beside_a_protocol_that_reads_none_are_refused() -> None:
    with pytest.raises(ReenactError, match=r"data\.split\.fractions is \[0\.6, 0\.1\], but data\.split\.protocol insta-350"):
        SplitSettings((0.6, 0.1), protocol="insta-350")


def test_the_documents_list_every_protocol() -> None:
    table = (Path(__file__).resolve().parents[3] / "docs" / "experiments.md").read_text()
    for name, protocol in PROTOCOLS.items():
        (row,) = re.findall(rf"^\| `{name}` .*$", table, re.MULTILINE)
        assert row.endswith(f"| {protocol.source} |")
        assert not protocol.test or f"last {protocol.test} frames" in row


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ReenactError, match="protocol is last-week: choose one of last-fifth, insta-350, flashavatar-500"):
        SplitSettings(protocol="last-week")  # type: ignore[arg-type]


def test_the_name_tells_own_fractions_from_the_default_ones() -> None:
    assert SplitSettings().name == "last-fifth"
    assert SplitSettings((0.6, 0.2)).name == "fractions 0.6 and 0.2"
    assert SplitSettings(protocol="insta-350").name == "insta-350"
