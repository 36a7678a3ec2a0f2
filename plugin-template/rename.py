"""Copy this plugin and rename it into yours: ``python rename.py my-llm --into ~/projects``.

Makes the package ``dragoman-my-llm`` (import ``dragoman_my_llm``, models ``my_llm/...``, settings
``MY_LLM_API_KEY``) in a directory of that name. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LEFT_OUT = {Path("rename.py"), Path("tests/test_rename.py")}
_SUFFIXES = {".md", ".py", ".toml", ".typed"}
_TEMPLATE_ONLY = re.compile(r"<!-- template only -->\n.*?<!-- end -->\n\n?", re.DOTALL)


def rename(name: str, into: Path) -> Path:
    """Write the renamed package to a new directory in `into`, and return it.

    Args:
        name: lower-case words joined by hyphens, such as ``my-llm``.
        into: where the directory is made.

    Raises:
        ValueError: `name` cannot be the name of a plugin.
        FileExistsError: there is such a directory already.
    """
    if not _NAME.fullmatch(name) or name.startswith("dragoman"):
        raise ValueError(
            f"{name!r}: write lower-case words joined by hyphens, such as my-llm, without dragoman-"
        )
    renamed = {
        "dragoman-acme": f"dragoman-{name}",
        "acme-request-id": f"{name}-request-id",
        "acme.example": f"{name}.example",
        "ACME": name.upper().replace("-", "_"),
        "Acme": "".join(word.capitalize() for word in name.split("-")),
        "acme": name.replace("-", "_"),
    }
    words = re.compile("|".join(map(re.escape, renamed)))  # the longer ones stand first, and win

    def translate(text: str) -> str:
        return words.sub(lambda match: renamed[match.group()], text)

    target = into / f"dragoman-{name}"
    target.mkdir(parents=True)
    for path in _sources():
        copy = target / translate(str(path))
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = (_HERE / path).read_text(encoding="utf-8")
        copy.write_text(translate(_TEMPLATE_ONLY.sub("", text)), encoding="utf-8")
    return target


def _sources() -> list[Path]:
    """Return the files of the template, without what tools and virtual environments leave behind."""
    own = [_HERE / "pyproject.toml", *_HERE.glob("*.md")]
    own += [path for folder in ("src", "tests") for path in sorted((_HERE / folder).rglob("*"))]
    relative = [path.relative_to(_HERE) for path in own if path.is_file() and path.suffix in _SUFFIXES]
    return [path for path in relative if path not in _LEFT_OUT]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Rename the template into a plugin of yours.")
    parser.add_argument("name", help="of your provider: lower-case words joined by hyphens, such as my-llm")
    parser.add_argument("--into", type=Path, default=Path(), help="directory to write to (default: this one)")
    arguments = parser.parse_args()
    try:
        target = rename(arguments.name, arguments.into)
    except (ValueError, FileExistsError) as error:
        sys.exit(f"rename.py: {error}")
    sys.stdout.write(f"{target}\nNext: cd there, pip install -e . pytest, pytest\n")


if __name__ == "__main__":
    main()
