"""The demonstration: two clips that the program makes itself, and the whole way with one command."""
