"""Live reenactment: pictures of a camera in, as they come, and the target's out, a moment later."""
