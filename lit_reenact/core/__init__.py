"""Hand-over types of the stages, their conventions, and tools for all rooms: errors, files, paths, threads, devices."""
