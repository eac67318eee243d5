"""The paper's questions put to trained networks, and records of the answers."""
