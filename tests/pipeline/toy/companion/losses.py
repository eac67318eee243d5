"""The stand-in's loss."""

WEIGHT = 2.0
