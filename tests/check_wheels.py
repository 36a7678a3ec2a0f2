"""Check that built wheels hold the files of their source tree and nothing else.

    python tests/check_wheels.py dist/*.whl

A wheel with a file outside its own package (a ``.pth`` above all, which runs at every start of Python) or
with a file that the repository does not have is not what was reviewed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "core" / "src", *sorted((ROOT / "plugins").glob("*/src")), ROOT / "plugin-template" / "src"]


def problems(wheel: Path) -> list[str]:
    """Return what is in the wheel and should not be, and what is not and should."""
    package = wheel.name.partition("-")[0]
    source = next((source for source in SOURCES if (source / package).is_dir()), None)
    if source is None:
        return [f"no source folder holds {package}"]
    expected = {
        str(path.relative_to(source))
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")}
        changed = [
            name for name in sorted(held & expected) if archive.read(name) != (source / name).read_bytes()
        ]
    return [
        *(f"{name} is not in the source tree" for name in sorted(held - expected)),
        *(f"{name} is missing" for name in sorted(expected - held)),
        *(f"{name} differs from the source tree" for name in changed),
    ]


def main(wheels: list[str]) -> int:
    """Print what is wrong with each wheel; return how many are wrong."""
    wrong = 0
    for wheel in map(Path, wheels):
        found = problems(wheel)
        wrong += bool(found)
        print(f"{wheel.name}: {'; '.join(found) or 'holds its package and nothing else'}")
    return wrong or int(not wheels)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
