"""Conditioning images of a tracked face: mesh, light and camera to pixels (Deep Video Portraits, section 4)."""
