"""A stand-in for the experiments. `imports` and `provenance` are the real ones."""
