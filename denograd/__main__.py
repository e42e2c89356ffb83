"""``python -m denograd FILE``: see `denograd.command`."""

import sys

from denograd.command import main

if __name__ == "__main__":
    sys.exit(main())
