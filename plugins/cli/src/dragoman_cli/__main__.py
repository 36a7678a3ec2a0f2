"""``python -m dragoman_cli`` is ``dragoman``."""

from __future__ import annotations

import sys

from dragoman_cli.program import main

sys.exit(main())
