"""The commands of ``lit-reenact``, one a file: their arguments, and the functions of the package that carry them out."""
