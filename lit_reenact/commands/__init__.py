"""The commands of ``lit-reenact``, one per file: their arguments, and the functions of the package that carry them out."""
