"""A stand-in for the experiments. `imports`, `provenance` and `registry` are the real ones."""
