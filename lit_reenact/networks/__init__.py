"""The two networks of the renderer: tensors in, tensors out."""
