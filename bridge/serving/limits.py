"""What one token may use of a server: requests at a time, and seconds of audio a minute."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

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
    """Admits requests under the limits of their tokens. It belongs to one event loop.

    The window slides: no 60 s have more audio than the limit. A bucket that refills would let
    twice as much through in the minute after a rest.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        clock: seconds that never run back.
        """
        self._clock = clock
        self._uses: dict[str, _Use] = {}

    def admit(self, name: str, limits: Limits, seconds: float) -> Admission:
        """Admit a request, which counts until its admission is closed.

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
        self._forget_idle(now)
        use = self._uses.setdefault(name, _Use())
        if use.requests >= limits.requests:
            raise LimitReached(
                f"token {name!r} has {use.requests} requests at work, and may have "
                f"{limits.requests}: wait for one to end",
                0.0,
            )
        if (wait := use.wait_seconds(now, limits.seconds_a_minute - counted)) > 0:
            raise LimitReached(
                f"token {name!r} has had its {limits.seconds_a_minute:g} s of audio a minute: "
                f"wait {math.ceil(wait)} s",
                wait,
            )
        return Admission(use, now, counted)

    def _forget_idle(self, now: float) -> None:
        """Drop the tokens that nothing is counted for: the memory follows the use."""
        for name in [name for name, use in self._uses.items() if use.is_idle(now)]:
            del self._uses[name]


class Admission:
    """One admitted request, as a context: it counts as at work inside."""

    def __init__(self, use: _Use, now: float, seconds: float) -> None:
        self._use, self._entry = use, [now, seconds]
        self._is_open = True
        use.requests += 1
        use.entries.append(self._entry)

    def close(self, made_seconds: float | None = None) -> None:
        """End the request; the second time nothing happens.

        Args:
            made_seconds: audio that was made of it, where that is less than it asked for.
        """
        if not self._is_open:
            return
        self._is_open = False
        self._use.requests -= 1
        if made_seconds is not None:
            self._entry[1] = min(self._entry[1], max(made_seconds, LEAST_SECONDS))

    def __enter__(self) -> Admission:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass
class _Use:
    """What one token uses.

    Attributes:
        requests: at work now.
        entries: time and seconds of audio of each request of the last minute, the oldest first.
    """

    requests: int = 0
    entries: deque[list[float]] = field(default_factory=deque)

    def is_idle(self, now: float) -> bool:
        self._expire(now)
        return not self.requests and not self.entries

    def wait_seconds(self, now: float, room: float) -> float:
        """Seconds until at most `room` seconds of audio are in the window; 0: now."""
        self._expire(now)
        over = sum(seconds for _, seconds in self.entries) - room
        for began, seconds in self.entries:
            if over <= 0:
                break
            over -= seconds
            if over <= 0:
                return began + _WINDOW_SECONDS - now
        return 0.0

    def _expire(self, now: float) -> None:
        while self.entries and self.entries[0][0] + _WINDOW_SECONDS <= now:
            self.entries.popleft()
