"""Origin of generated pixels: colours by shares, and shares of frames that are generated out of order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lit_reenact.networks.blend_generator import Blend, BlendGenerator
from lit_reenact.synthesis import synthesise
from lit_reenact.synthesis.pixel_origin import KEY_FRAME_COLOURS, origin_colours, origin_picture, trace_pixels
from lit_reenact.tracking.trackfile import load_track
from tests.factories import track_folder
from tests.lit_reenact.synthesis.blend import save_blend

__all__ = ["track_folder"]


def test_a_pixel_has_the_colours_of_its_sources_by_their_shares() -> None:
    """From left to right: the first key frame, the mean frame, painted, half the second and half painted, the plate."""
    pixels = [[1.0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0.5, 0, 0, 0.5], [0, 0, 0, 1, 0]]
    shares = torch.tensor(pixels).T.reshape(1, 5, 1, 5)
    picture = origin_picture(shares)
    assert picture.dtype == torch.uint8
    assert picture[0, 0].tolist() == [[0, 114, 178], [0, 0, 0], [213, 94, 0], [226, 161, 33], [190, 190, 190]]


def test_every_source_has_a_name_and_a_colour() -> None:
    colours = origin_colours(7)
    assert list(colours) == [*(f"key frame {k}" for k in range(1, 8)), "mean frame", "background plate", "painted"]
    assert colours["key frame 7"] == colours["key frame 1"] == KEY_FRAME_COLOURS[0]
    assert len(set(origin_colours(6).values())) == 9


@pytest.mark.parametrize("placement", ["causal", "centred"])
def test_shares_are_those_of_the_frames_generated_in_order(
    track_folder: Path, placement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows reach over no cut, and each frame's shares are those of a run over all frames."""
    generator, track = save_blend(track_folder, tmp_path / "a.ckpt", placement=placement), load_track(track_folder)
    parameters, cuts, numbers = track.parameters[:30], (7, 20), torch.tensor([0, 6, 7, 8, 12, 13, 19, 20, 29])
    traced, shares = zip(*trace_pixels(generator, track, parameters, numbers, cuts), strict=True)
    assert torch.cat(traced).equal(numbers)
    found = torch.cat(shares)
    blend, in_order = BlendGenerator.blend, []

    def blend_and_keep(*arguments: object) -> Blend:
        result = blend(*arguments)  # type: ignore[arg-type]
        in_order.append(result.shares)
        return result

    monkeypatch.setattr(BlendGenerator, "blend", blend_and_keep)
    list(synthesise(generator, track, parameters, cuts))
    expected = torch.cat(in_order)
    assert len(expected) == 30
    assert torch.allclose(found, expected[numbers], atol=1e-5)
    assert not torch.allclose(found, expected[(numbers + 1).clamp(max=29)], atol=1e-5)
