"""Facial landmarks of a video's frames, and sizes and angles measured on them alone."""
