"""How near the generated frames come to the real ones."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchmetrics import MeanMetric

from lit_reenact.callbacks.base import Callback, Trainer
from lit_reenact.core.schema import EMPTY, Window
from lit_reenact.losses.reconstruction import Lpips, LpipsBackbone
from lit_reenact.metrics import FaceL1, psnr, ssim
from lit_reenact.training.module import ReenactModule


class FrameMetrics(Callback):
    """Logs ``psnr``, ``ssim``, ``lpips`` (``lpips_untrained`` without trained weights) and ``face_l1`` (8-bit units, on the
    rendered face) under ``val/`` and ``test/``: means over all frames of all processes.
    """

    def __init__(self, lpips_backbone: LpipsBackbone = "auto") -> None:
        """
        Args:
            lpips_backbone: as in ``losses.Lpips``.
        """
        super().__init__()
        self.lpips = Lpips(lpips_backbone)
        self.means = {name: MeanMetric() for name in ("psnr", "ssim", self.lpips.name)}
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
        self.means[self.lpips.name].update(self.lpips(prediction=output, target=batch.frame))
        self.face_l1.update(prediction, target, batch.region != EMPTY)

    def _log(self, module: ReenactModule, part: str) -> None:
        values: dict[str, Any] = {name: mean.compute() for name, mean in self.means.items()} | {"face_l1": self.face_l1.compute()}
        # The values are those of all processes already; sync_dist only keeps Lightning from doubting it.
        for name, value in values.items():
            module.log(f"{part}/{name}", value, sync_dist=True, prog_bar=name == "face_l1")
        if part == "val":
            module.log("batch_step", float(module.batch_step), sync_dist=True)
