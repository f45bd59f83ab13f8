"""From FaceParameters to images: the mesh rasteriser, the light, and the three conditioning images of a frame."""
