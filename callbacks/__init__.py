"""What happens around the training: one callback a file."""

import lit_reenact  # noqa: F401  (first: it makes `import lightning` work beside a torchvision without compiled operators)

from callbacks.artifacts import Artifacts
from callbacks.budget import BatchBudget
from callbacks.checkpoint import BatchStepCheckpoint
from callbacks.ema import ExponentialMovingAverage
from callbacks.frame_metrics import FrameMetrics
from callbacks.graceful_stop import GracefulStop
from callbacks.health import TrainingHealth
from callbacks.progress import BatchProgressBar
from callbacks.reenactment_video import ReenactmentVideo
from callbacks.schedule import LearningRateSchedule
from callbacks.throughput import Throughput

__all__ = [
    "Artifacts",
    "BatchBudget",
    "BatchProgressBar",
    "BatchStepCheckpoint",
    "ExponentialMovingAverage",
    "FrameMetrics",
    "GracefulStop",
    "LearningRateSchedule",
    "ReenactmentVideo",
    "Throughput",
    "TrainingHealth",
]
