"""Callbacks of a training, one per file."""

from lit_reenact.callbacks.artifacts import Artifacts
from lit_reenact.callbacks.budget import BatchBudget
from lit_reenact.callbacks.checkpoint import BatchStepCheckpoint
from lit_reenact.callbacks.ema import ExponentialMovingAverage
from lit_reenact.callbacks.frame_metrics import FrameMetrics
from lit_reenact.callbacks.graceful_stop import GracefulStop
from lit_reenact.callbacks.health import TrainingHealth
from lit_reenact.callbacks.progress import BatchProgressBar
from lit_reenact.callbacks.reenactment_video import ReenactmentVideo
from lit_reenact.callbacks.schedule import LearningRateSchedule
from lit_reenact.callbacks.throughput import Throughput

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
