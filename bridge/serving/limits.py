"""What one token may use of a server: requests at a time, and seconds of audio a minute."""

from __future__ import annotations

import math
import time
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from bridge.config.readers import ints, numbers
from bridge.errors import LimitReached

DEFAULT_REQUESTS = 4
DEFAULT_SECONDS_A_MINUTE = 600.0
"""Ten seconds of audio each second: 15 variations of a clip of four bars at 120 bpm, every 16 s."""
LEAST_SECONDS = 1.0
"""What a request is counted as at least. So a minute has a bounded number of requests."""
REQUESTS = ints(1, 256)
SECONDS_A_MINUTE = numbers(LEAST_SECONDS, 100_000)
_WINDOW_SECONDS = 60.0
_SWEEP_SECONDS = 1.0
"""How often what counts no longer is dropped, of all tokens."""


@dataclass(frozen=True)
class Limits:
    """The limits of one token.

    Attributes:
        requests: requests at a time, queued ones included.
        seconds_a_minute: seconds of audio, all variations together, in any 60 s.

    Raises:
        BadArgument: a value is out of its range.
    """

    requests: int = DEFAULT_REQUESTS
    seconds_a_minute: float = DEFAULT_SECONDS_A_MINUTE

    def __post_init__(self) -> None:
        REQUESTS("requests", self.requests)
        SECONDS_A_MINUTE("seconds_a_minute", self.seconds_a_minute)


class Limiter:
    """Admits requests under the limits of their tokens. It belongs to one thread.

    The window slides: no 60 s have more audio than the limit. A bucket that refills would let
    twice as much through in the minute after a rest.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        clock: seconds that never run back.
        """
        self._clock = clock
        self._uses: dict[str, _Use] = {}
        self._numbers = count()
        self._next_sweep = -math.inf

    def admit(self, name: str, limits: Limits, seconds: float) -> Admission:
        """Admit a request, which counts as at work until `close`.

        Args:
            name: the token's name.
            seconds: audio that it asks for, all variations together, over 0.

        Raises:
            LimitReached: the token has no room for it now, or never.
        """
        counted = max(seconds, LEAST_SECONDS)
        if counted > limits.seconds_a_minute:
            raise LimitReached(
                f"token {name!r}: the request asks for {counted:.0f} s of audio, and the token may "
                f"have {limits.seconds_a_minute:g} a minute: ask for less",
                math.inf,
            )
        now = self._clock()
        self._sweep(now)
        use = self._uses.setdefault(name, _Use())
        if (at_work := use.requests()) >= limits.requests:
            raise LimitReached(
                f"token {name!r} has {at_work} requests at work, and may have "
                f"{limits.requests}: wait for one to end",
                0.0,
            )
        if (wait := use.wait_seconds(now, limits.seconds_a_minute - counted)) > 0:
            raise LimitReached(
                f"token {name!r} has had its {limits.seconds_a_minute:g} s of audio a minute: "
                f"wait {math.ceil(wait)} s",
                wait,
            )
        admission = Admission(next(self._numbers), name, now, counted)
        use.admissions.append(admission)
        return admission

    def add(self, name: str, age_seconds: float, seconds: float, *, is_open: bool) -> Admission:
        """Count a request that was admitted elsewhere, whatever the limits are.

        Args:
            age_seconds: how long ago it was admitted.
            seconds: audio that it counts as.
            is_open: it is at work.
        """
        began = self._clock() - age_seconds
        admission = Admission(next(self._numbers), name, began, seconds, is_open)
        use = self._uses.setdefault(name, _Use())
        insort(use.admissions, admission, key=lambda each: each.began)
        return admission

    def withdraw(self, admission: Admission) -> None:
        """Count a request as if it had never been admitted."""
        use = self._uses.get(admission.name)
        if use is not None and admission in use.admissions:
            use.admissions.remove(admission)

    def counted(self) -> list[Admission]:
        """Every request that counts now, of all tokens."""
        return [each for use in self._uses.values() for each in use.admissions if self.counts(each)]

    def counts(self, admission: Admission) -> bool:
        """Whether a request is at work, or was admitted in the last minute."""
        return admission.is_open or self.age_seconds(admission) < _WINDOW_SECONDS

    def age_seconds(self, admission: Admission) -> float:
        """How long ago a request was admitted."""
        return self._clock() - admission.began

    def _sweep(self, now: float) -> None:
        """Drop what counts no longer: the memory follows the use."""
        if now < self._next_sweep:
            return
        self._next_sweep = now + _SWEEP_SECONDS
        for name, use in list(self._uses.items()):
            use.admissions = [each for each in use.admissions if self.counts(each)]
            if not use.admissions:
                del self._uses[name]


@dataclass(eq=False)
class Admission:
    """One admitted request.

    Attributes:
        number: the limiter's own.
        name: the token's.
        began: when it was admitted, by the limiter's clock.
        seconds: audio that it counts as, for 60 s.
        is_open: it is at work.
    """

    number: int
    name: str
    began: float
    seconds: float
    is_open: bool = True

    def close(self, made_seconds: float) -> None:
        """End the request; the second time nothing happens.

        Args:
            made_seconds: audio that was made of it; where that is less than it asked for, it
                counts as that.
        """
        if self.is_open:
            self.is_open = False
            self.seconds = min(self.seconds, max(made_seconds, LEAST_SECONDS))


@dataclass
class _Use:
    """What one token uses.

    Attributes:
        admissions: those at work, and those of the last minute, the oldest first.
    """

    admissions: list[Admission] = field(default_factory=list)

    def requests(self) -> int:
        """Requests at work."""
        return sum(each.is_open for each in self.admissions)

    def wait_seconds(self, now: float, room: float) -> float:
        """Seconds until at most `room` seconds of audio are in the window; 0: now."""
        inside = [each for each in self.admissions if each.began + _WINDOW_SECONDS > now]
        over = sum(each.seconds for each in inside) - room
        for each in inside:
            if over <= 0:
                break
            over -= each.seconds
            if over <= 0:
                return each.began + _WINDOW_SECONDS - now
        return 0.0
