"""What the claims rest on: one file a kind of claim, and the comparisons that they share."""
