"""Metrics of generated frames, compared with the real ones."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torchmetrics import MetricCollection

from lit_reenact.callbacks.base import Callback, Trainer
from lit_reenact.core.schema import EMPTY, Window
from lit_reenact.losses.perceptual import LpipsBackbone
from lit_reenact.metrics.collection import FaceLpipsMean, validation_metrics
from lit_reenact.training.module import ReenactModule

Part = Literal["val", "test"]


class FrameMetrics(Callback):
    """Callback that logs frame metrics under ``val/`` and ``test/``, over all frames of all processes.

    * ``psnr``: peak signal-to-noise ratio, dB;
    * ``ssim``: structural similarity, in [-1, 1];
    * ``lpips``: learned perceptual distance (Zhang et al. 2018);
    * ``high_frequency``: energy of the finest detail over that of the real frames; 1 is as sharp;
    * ``face_l1``: mean absolute difference on the rendered face, in levels of 255;
    * ``face_lpips``: LPIPS of the face crop at 256 pixels; only under ``test/``, because it takes longer than all others.

    Example:
        >>> trainer = Trainer(callbacks=[FrameMetrics(lpips_backbone="squeeze")])
    """

    def __init__(self, lpips_backbone: LpipsBackbone = "alex") -> None:
        """
        Args:
            lpips_backbone: network of the perceptual distance, ``alex``, ``squeeze`` or ``vgg`` (see
                ``losses.perceptual.Lpips``).
        """
        super().__init__()
        both = validation_metrics(lpips_backbone)
        test_only = MetricCollection({"face_lpips": FaceLpipsMean(lpips_backbone)}, compute_groups=False)
        self.metrics: dict[Part, list[MetricCollection]] = {"val": [both], "test": [both, test_only]}

    def on_validation_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._start(pl_module, "val")

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Tensor, batch: Window, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._update(outputs, batch, "val")

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._log(pl_module, "val")

    def on_test_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._start(pl_module, "test")

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Tensor, batch: Window, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._update(outputs, batch, "test")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._log(pl_module, "test")

    def _start(self, module: ReenactModule, part: Part) -> None:
        for collection in self.metrics[part]:
            collection.to(module.device)
            collection.reset()

    def _update(self, output: Tensor, batch: Window, part: Part) -> None:
        prediction, target = (output + 1) / 2, (batch.frame + 1) / 2
        for collection in self.metrics[part]:
            collection.update(prediction=prediction, target=target, region=batch.region != EMPTY)

    def _log(self, module: ReenactModule, part: Part) -> None:
        # The metrics are synchronised already; sync_dist only keeps Lightning from warning.
        for collection in self.metrics[part]:
            for name, value in collection.compute().items():
                module.log(f"{part}/{name}", value, sync_dist=True, prog_bar=name == "face_l1")
        if part == "val":
            module.log("batch_step", float(module.batch_step), sync_dist=True)
