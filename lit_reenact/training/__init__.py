"""Training: the LightningModule, the command line, checkpoints, run folders and clusters."""
