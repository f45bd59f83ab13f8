"""W&B sweep files, run on this machine without a server. Needs the extra ``sweeps``."""
