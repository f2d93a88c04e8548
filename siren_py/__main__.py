"""``python -m siren_py`` is ``siren-py``."""

from __future__ import annotations

import sys

from siren_py.cli import main

if __name__ == "__main__":
    sys.exit(main())
