"""Video files: frames in through decord, frames and sound out through PyAV."""
