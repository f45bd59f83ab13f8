"""Time that the page takes from a moved slider to its new pictures; printed, never a reason to fail."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml
from pytest_benchmark.fixture import BenchmarkFixture

from lit_reenact.app.figures import conditioning_view, result_view
from lit_reenact.app.preview import make_preview
from lit_reenact.app.runs import open_run
from lit_reenact.app.session import EditingSession
from tests.factories import make_data, make_module, make_track

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("config", ["demo", "fast"])
def test_slider_to_new_pictures(
    config: str, benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = make_module(yaml.safe_load((CONFIGS / f"{config}.yaml").read_text())["model"])
    size = module.generator.image_size
    make_track(tmp_path / "track", frames=80, size=size)
    data = make_data(tmp_path / "track", inputs=asdict(module.inputs))
    checkpoint = tmp_path / "best.ckpt"
    content = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams), "TrackDataModule": data.state_dict()}
    torch.save(content, checkpoint)
    run = open_run(tmp_path / "track", checkpoint)
    before = EditingSession.begin(run).go_to(6)

    def move() -> tuple[str, str]:
        after = before.move({"head_yaw": 8.0})
        preview = make_preview(after)
        return result_view(after, preview), conditioning_view(after, preview)

    still, (result, conditioning) = make_preview(before), benchmark(move)
    assert conditioning != conditioning_view(before, still)
    assert result.startswith("<figure>")
    if benchmark.stats is not None:
        with capsys.disabled():
            print(f"\n{config} at {size} x {size}: {1000 * benchmark.stats.stats.median:.0f} ms from slider to pictures")
