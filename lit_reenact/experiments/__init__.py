"""Many trainings compared with each other: ablations and sweeps."""
