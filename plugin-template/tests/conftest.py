"""Lets the tests run in a fresh copy, before the package is installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
