"""The pipeline: train -> evaluate -> notebooks -> book, as pytask tasks. `make book` runs it."""
