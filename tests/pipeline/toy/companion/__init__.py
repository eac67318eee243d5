"""A stand-in for the package, whose runs take no time."""
