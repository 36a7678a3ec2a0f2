"""Typed objects at the edge: a request is checked here once; responses and events become objects here."""

# ruff: noqa: F403 - each module lists its names in its own __all__

from dragoman.models import events, hosted_events, items, parts, requests, responses
from dragoman.models.events import *
from dragoman.models.hosted_events import *
from dragoman.models.items import *
from dragoman.models.parts import *
from dragoman.models.requests import *
from dragoman.models.responses import *

__all__: list[str] = []
__all__ += events.__all__
__all__ += hosted_events.__all__
__all__ += items.__all__
__all__ += parts.__all__
__all__ += requests.__all__
__all__ += responses.__all__
