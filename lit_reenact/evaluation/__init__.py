"""Evaluation on held-out frames: metrics with intervals, baselines, motion tracked again from pixels, and the report."""
