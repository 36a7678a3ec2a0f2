"""How long everything takes: as in the original, or the same in a fraction of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAST", "FULL", "Profile"]

# What does not scale: clocks of the callers' own, and busy machines.
_FALLING_BACK = 0.75
_LONGER_THAN_A_FIRST_BACKOFF = 0.75
_FINISHING = 3.0  # for what may follow a finish reason, on a wire without an end mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The times of upstream, callers and judge, in seconds.

    Backoff between retries is the caller's own and not scaled.
    """

    scale: float
    """What one second of the original takes."""
    scale_of_outages: float
    """The same for S15, in which nobody waits for a limit."""
    pace: float
    """Between two tokens of a stream that breaks in the middle."""

    def of(self, seconds: float) -> float:
        """Return what these seconds of the original are here."""
        return seconds * self.scale

    # ---- what upstream does

    @property
    def retry_after(self) -> float:
        """What S01 asks for: more than anybody waits who does not hear it."""
        return max(self.of(2), _LONGER_THAN_A_FIRST_BACKOFF)

    @property
    def silence(self) -> float:
        """How long S06 says nothing."""
        return self.of(120)

    @property
    def late(self) -> float:
        """When the first token of S07 comes."""
        return self.of(20)

    @property
    def stall(self) -> float:
        """How long S09 says nothing after its twentieth token."""
        return self.of(30)

    @property
    def outage(self) -> float:
        """How long S15 refuses."""
        return 60 * self.scale_of_outages

    @property
    def between_calls(self) -> float:
        """How often it is called."""
        return 4 * self.scale_of_outages

    # ---- what callers are told

    @property
    def first_token(self) -> float:
        """Until the first token, and until an answer that is not streamed."""
        return self.of(10)

    @property
    def attempt(self) -> float:
        """One streamed attempt: 20 of the 30 seconds that the original allows."""
        return self.of(20)

    @property
    def cooldown(self) -> float:
        """How long a circuit stays open."""
        return 5 * self.scale_of_outages

    @property
    def retries(self) -> int:
        """After the first attempt."""
        return 2

    # ---- what the judge allows

    @property
    def patience(self) -> float:
        """When a call hangs."""
        return max(self.of(130), 6.0)

    @property
    def recovery(self) -> float:
        """S15: how long after its outage the primary may go unused."""
        return 30 * self.scale_of_outages

    @property
    def soon(self) -> float:
        """S07: when an answer is there although the first token of the primary is not."""
        return max(self.of(15), self.first_token + _FALLING_BACK)

    @property
    def finishing(self) -> float:
        """S11: when an answer is there although nothing more comes."""
        return max(self.of(8), _FINISHING)


FULL = Profile(scale=1.0, scale_of_outages=1.0, pace=0.02)
FAST = Profile(scale=0.1, scale_of_outages=0.05, pace=0.002)
