"""Facial landmarks of a frame, and what is measured on them alone."""
