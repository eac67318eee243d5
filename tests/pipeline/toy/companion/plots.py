"""The stand-in's plots."""

COLOUR = "C0"
