"""Live reenactment: the frames of a camera drive the target, and a page shows the generated frames a moment later."""
