"""Losses of the training: pure functions on tensors."""
