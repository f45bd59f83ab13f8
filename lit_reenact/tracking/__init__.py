"""Landmarks of a working clip to a ``Track``: template, pose and expression, gaze, light and reflectance."""
