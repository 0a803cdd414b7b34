#!/usr/bin/env python3
"""The exporter under its first name: ``python3 eigenstream_export.py module:factory net.safetensors``, and what
``from eigenstream_export import ...`` gave. All of it is in the package ``eigenstream`` beside this file."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from eigenstream import *  # noqa: E402, F401, F403
from eigenstream import main  # noqa: E402
from eigenstream.file import raw_bytes as _raw_bytes  # noqa: E402, F401

if __name__ == "__main__":
    # The user's file imports this one by name.
    sys.modules.setdefault("eigenstream_export", sys.modules[__name__])
    sys.exit(main(program="eigenstream_export.py"))
