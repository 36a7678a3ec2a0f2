"""What differs between generations of Gemini."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Model", "model_named"]

_GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")


class Model(NamedTuple):
    """What a model can do, as far as requests differ by it."""

    thinking: str
    """How thinking is asked for: "level" (from Gemini 3 on), "budget" (2.5), "none"."""
    least_budget: int = 0
    """The smallest budget that is not zero; models that always think have no zero."""
    most_budget: int = 24_576
    always_thinks: bool = False
    levels: tuple[str, ...] = ("minimal", "low", "medium", "high")

    @property
    def new(self) -> bool:
        """Whether it is of the third generation or later.

        These take media in the results of functions, mix functions with hosted tools, set the resolution
        of single media, and demand signatures on the calls of the current turn.
        """
        return self.thinking == "level"


_NO_THINKING = Model("none")
_FLASH_25 = Model("budget", least_budget=1)
_LITE_25 = Model("budget", least_budget=512)
_PRO_25 = Model("budget", least_budget=128, most_budget=32_768, always_thinks=True)
_FLASH = Model("level")
_PRO_30 = Model("level", always_thinks=True, levels=("low", "high"))
_PRO = Model("level", always_thinks=True, levels=("low", "medium", "high"))


def model_named(name: str) -> Model:
    """Return what is known of a model; one that is newer than this package is like the newest it knows."""
    found = _GENERATION.search(name)
    if "gemma" in name or "learnlm" in name:
        return _NO_THINKING
    generation = (int(found[1]), int(found[2] or 0)) if found else (3, 1)
    pro = "-pro" in name
    if "tts" in name or "embedding" in name or generation < (2, 5):
        return _NO_THINKING
    if generation < (3, 0):
        if "image" in name:
            return _NO_THINKING
        return _PRO_25 if pro else _LITE_25 if "lite" in name else _FLASH_25
    if pro:
        return _PRO_30 if generation == (3, 0) else _PRO
    return _FLASH
