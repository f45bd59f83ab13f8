"""Ablation studies: one base configuration, variants of it, several seeds, held-out measures with intervals."""
