from __future__ import annotations

import sys

from batch.command import main

# Processes that are spawned load this file too, under another name.
if __name__ == "__main__":
    sys.exit(main())
