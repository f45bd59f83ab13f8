"""Logged metrics, compared with values computed by hand, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lit_reenact.callbacks import FrameMetrics
from lit_reenact.metrics import ssim
from lit_reenact.video import FrameReader
from tests.factories import make_data, make_module, make_trainer


@pytest.fixture(scope="module")
def metrics() -> FrameMetrics:
    return FrameMetrics()


def test_validation_and_test_are_means_over_frames(track_folder: Path, tmp_path: Path, metrics: FrameMetrics) -> None:
    data = make_data(track_folder, inputs={"image_size": 64}, batch_size=7)  # 25 frames: the last batch is smaller
    module = make_module(inputs={"image_size": 64})
    trainer = make_trainer(tmp_path, metrics)
    (logged,) = trainer.test(module, datamodule=data, verbose=False)

    clip = FrameReader(track_folder / "clip.mp4").read(range(95, 120)).numpy().astype(np.float64) / 255
    module.eval()
    module.generator.set_base(data.base())
    window = data.on_after_batch_transfer(data.test_dataset.__getitems__(list(range(25))), 0)
    with torch.inference_mode():
        generated = (module(window.conditioning).permute(0, 2, 3, 1).double().numpy() + 1) / 2
    pairs = list(zip(generated, clip, strict=True))
    face = window.region.numpy() > 0
    assert logged["test/psnr"] == pytest.approx(np.mean([-10 * np.log10(((a - b) ** 2).mean()) for a, b in pairs]), rel=1e-4)
    by_frame = [ssim(torch.tensor(a.transpose(2, 0, 1))[None], torch.tensor(b.transpose(2, 0, 1))[None]) for a, b in pairs]
    assert logged["test/ssim"] == pytest.approx(float(torch.cat(by_frame).mean()), abs=1e-4)
    errors = [255 * np.abs(a - b)[mask].mean() for (a, b), mask in zip(pairs, face, strict=True)]
    assert logged["test/face_l1"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert logged["test/lpips"] > 0

    (again,) = trainer.validate(module, datamodule=data, verbose=False)
    assert {name.removeprefix("val/") for name in again if "/" in name} == {"psnr", "ssim", "lpips", "high_frequency", "face_l1"}
