"""`python -m companion`: the `companion` command and, in a clone of the repository, what `make` does."""

from __future__ import annotations

import sys

from companion import clone


def main() -> int:
    """Run the command that the command line names; return its exit status."""
    words = sys.argv[1:]
    if words and words[0] in clone.COMMANDS:
        clone.main(words)
    try:
        from companion import cli  # Here, since it needs the packages that `clone` installs.
    except KeyboardInterrupt:  # PyTorch takes a while to import.
        print("\nstopped", file=sys.stderr)
        return 130
    return cli.main(words)


if __name__ == "__main__":
    sys.exit(main())
