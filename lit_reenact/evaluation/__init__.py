"""What the model reached: metrics on held-out frames, baselines, motion measured again from pixels, and the report."""
