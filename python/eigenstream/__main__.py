"""The command ``python3 -m eigenstream``."""

import sys

from .cli import main

sys.exit(main())
