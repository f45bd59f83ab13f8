"""What happens around the training: one callback a file."""

import lit_reenact  # noqa: F401  (first: it makes `import lightning` work beside a torchvision without compiled operators)

from callbacks.budget import BatchBudget
from callbacks.checkpoint import BatchStepCheckpoint
from callbacks.ema import ExponentialMovingAverage
from callbacks.frame_metrics import FrameMetrics
from callbacks.progress import BatchProgressBar
from callbacks.reenactment_video import ReenactmentVideo
from callbacks.schedule import LearningRateSchedule

__all__ = [
    "BatchBudget",
    "BatchProgressBar",
    "BatchStepCheckpoint",
    "ExponentialMovingAverage",
    "FrameMetrics",
    "LearningRateSchedule",
    "ReenactmentVideo",
]
