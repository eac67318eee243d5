"""Imported before Jupyter's libraries, this keeps them from their slowest import.

nbformat imports jsonschema, which can check internationalised addresses if it finds their grammar. Reading
that takes longer than all the rest of nbformat, and no notebook has such an address.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore[reportArgumentType]
