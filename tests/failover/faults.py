"""What breaks, by the name of the model that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.failover.exchanges import Exchange
from tests.failover.story import HEALTHY, OTHER_STORY, TOKENS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["FAULTS"]

_CUT, _STALL, _BROKEN = 40, 20, 9
_READING = 0.02  # seconds that the caller has for what was sent, before a reset takes it away


async def _s01(exchange: Exchange) -> None:
    if exchange.earlier:
        await exchange.answer()
    else:
        await exchange.refuse("rate_limit", exchange.profile.retry_after)


async def _s03(exchange: Exchange) -> None:
    await (exchange.answer() if exchange.earlier else exchange.refuse("error"))


async def _s05(exchange: Exchange) -> None:
    if exchange.earlier:
        await exchange.answer()
    else:
        exchange.reset()
        exchange.end("reset")


async def _s06(exchange: Exchange) -> None:
    await exchange.hold(exchange.profile.silence)
    exchange.end("cut")


async def _s08(exchange: Exchange) -> None:
    if exchange.one.streamed:
        await exchange.begin_stream(_CUT)
        await exchange.finish()  # HTTP is at its end, the answer is not
    else:
        await exchange.begin_whole(_CUT / len(TOKENS))
    exchange.end("cut", whole=exchange.one.streamed)


async def _s09(exchange: Exchange) -> None:
    if exchange.one.streamed:
        await exchange.begin_stream(_STALL)
    else:
        await exchange.begin_whole(_STALL / len(TOKENS))
    await exchange.hold(exchange.profile.stall)
    exchange.end("cut")


async def _s14(exchange: Exchange) -> None:
    if exchange.one.streamed:
        await exchange.begin_stream(_CUT)
    else:
        await exchange.begin_whole(_CUT / len(TOKENS))
    await exchange.hold(_READING)
    exchange.reset()
    exchange.end("cut")


async def _slow(exchange: Exchange) -> None:
    """Take a pause before every token, and as long for an unstreamed answer, if asked to tell it slowly."""
    if "slowly" not in exchange.wire.last_turn(exchange.one.body)[1]:
        await exchange.answer()
        return
    if exchange.one.streamed:
        await exchange.begin_stream(len(TOKENS))
        await exchange.rest_of_stream(len(TOKENS))
    else:
        await exchange.late(exchange.profile.pace * len(TOKENS))
    exchange.end("answered")


async def _no_prefill(exchange: Exchange) -> None:
    role, _ = exchange.wire.last_turn(exchange.one.body)
    await (exchange.refuse("prefill") if role == "assistant" else exchange.answer())


async def _cut(exchange: Exchange) -> None:
    """Break off once; go on where the request has the beginning, else tell another story."""
    await (_forgetful(exchange) if exchange.earlier else _s08(exchange))


async def _forgetful(exchange: Exchange) -> None:
    role, _ = exchange.wire.last_turn(exchange.one.body)
    await exchange.answer(TOKENS if role == "assistant" else [OTHER_STORY])


async def _s15(exchange: Exchange) -> None:
    began = exchange.earlier[0].began if exchange.earlier else exchange.one.began
    over = exchange.one.began - began >= exchange.profile.outage
    await (exchange.answer() if over else exchange.refuse("unavailable"))


FAULTS: dict[str, Callable[[Exchange], Awaitable[None]]] = {
    HEALTHY: Exchange.answer,
    "fb-cut-claude-sonnet-4-5": _cut,
    "fb-cut-claude-sonnet-4-6": _cut,
    "fb-forgetful-claude-sonnet-4-5": _forgetful,
    "fb-no-prefill": _no_prefill,
    "fb-no-prefill-claude-sonnet-4-5": _no_prefill,
    "fb-other": lambda exchange: exchange.answer([OTHER_STORY]),
    "fb-slow": _slow,
    "fb-s01": _s01,
    "fb-s02": lambda exchange: exchange.refuse("rate_limit"),
    "fb-s03": _s03,
    "fb-s04": lambda exchange: exchange.refuse("unavailable"),
    "fb-s05": _s05,
    "fb-s06": _s06,
    "fb-s07": lambda exchange: exchange.late(exchange.profile.late),
    "fb-s08": _s08,
    "fb-s09": _s09,
    "fb-s10": lambda exchange: exchange.broken(_BROKEN),
    "fb-s11": lambda exchange: exchange.never_closed(exchange.profile.silence),
    "fb-s12": lambda exchange: exchange.refuse("context"),
    "fb-s13": lambda exchange: exchange.refuse("policy"),
    "fb-s14": _s14,
    "fb-s15": _s15,
    "fb-s16": lambda exchange: exchange.refuse("unavailable"),
}
