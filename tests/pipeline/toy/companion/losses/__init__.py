"""The stand-in's loss."""

WEIGHT = 2.0


class Loss:
    """A loss without options."""

    weight = WEIGHT
