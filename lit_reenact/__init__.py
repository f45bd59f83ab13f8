"""Deep Video Portraits: full head reenactment of portrait videos with PyTorch Lightning."""

from __future__ import annotations

from lit_reenact import _torchvision as _torchvision  # before any other import: torchmetrics, lpips and lightning need it
