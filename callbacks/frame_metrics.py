"""Metrics of generated frames, compared with the real ones."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchmetrics import MeanMetric

from lit_reenact.callbacks.base import Callback, Trainer
from lit_reenact.core.schema import EMPTY, Window
from lit_reenact.losses.perceptual import Lpips, LpipsBackbone
from lit_reenact.metrics import FaceL1, psnr, ssim
from lit_reenact.training.module import ReenactModule


class FrameMetrics(Callback):
    """Callback that logs frame metrics under ``val/`` and ``test/``, as means over all frames of all processes.

    * ``psnr``: peak signal-to-noise ratio, dB;
    * ``ssim``: structural similarity, in [-1, 1];
    * ``lpips``: learned perceptual distance (Zhang et al. 2018);
    * ``face_l1``: mean absolute difference on the rendered face, in levels of 255.

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
        self.lpips = Lpips(lpips_backbone)
        self.means = {name: MeanMetric() for name in ("psnr", "ssim", "lpips")}
        self.face_l1 = FaceL1()

    def on_validation_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._start(pl_module)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Tensor, batch: Window, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._update(outputs, batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._log(pl_module, "val")

    def on_test_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._start(pl_module)

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Tensor, batch: Window, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._update(outputs, batch)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._log(pl_module, "test")

    def _start(self, module: ReenactModule) -> None:
        self.lpips.to(module.device)
        for metric in (*self.means.values(), self.face_l1):
            metric.to(module.device)
            metric.reset()

    def _update(self, output: Tensor, batch: Window) -> None:
        prediction, target = (output + 1) / 2, (batch.frame + 1) / 2
        self.means["psnr"].update(psnr(prediction, target))
        self.means["ssim"].update(ssim(prediction, target))
        self.means["lpips"].update(self.lpips(prediction=output, target=batch.frame))
        self.face_l1.update(prediction, target, batch.region != EMPTY)

    def _log(self, module: ReenactModule, part: str) -> None:
        values: dict[str, Any] = {name: mean.compute() for name, mean in self.means.items()} | {"face_l1": self.face_l1.compute()}
        # The metrics are synchronised already; sync_dist only keeps Lightning from warning.
        for name, value in values.items():
            module.log(f"{part}/{name}", value, sync_dist=True, prog_bar=name == "face_l1")
        if part == "val":
            module.log("batch_step", float(module.batch_step), sync_dist=True)
