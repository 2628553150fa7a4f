"""What each token uses of a whole server: one ledger that all replicas ask.

A replica numbers its requests itself. It says every two seconds which of them are at work, so a
message that is lost is corrected by the next, and the requests of a replica that is gone end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from bridge.errors import LimitReached
from bridge.serving.limits import Admission, Limiter, Limits

RENEW_SECONDS = 2.0
"""How often a replica says which of its requests are at work."""
SILENT_SECONDS = 10.0
"""A replica that says nothing for so long is gone."""


@dataclass(frozen=True)
class Entry:
    """A request that a replica has admitted.

    Attributes:
        number: the replica's own.
        name: the token's.
        age_seconds: how long ago it was admitted.
        seconds: audio that it counts as.
        is_open: it is at work.
    """

    number: int
    name: str
    age_seconds: float
    seconds: float
    is_open: bool


class Ledger:
    """Counts the requests of all replicas. It belongs to one thread.

    It remembers what the limits of the tokens bound: the requests at work, and those of the last
    minute.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        clock: seconds that never run back.
        """
        self._clock = clock
        self._limiter = Limiter(clock)
        self._replicas: dict[str, _Replica] = {}

    def join(self, replica: str, entries: Sequence[Entry]) -> None:
        """Take what a replica has counted in place of what was known of it."""
        if (known := self._replicas.get(replica)) is not None:
            for admission in known.admissions.values():
                self._limiter.withdraw(admission)
        self._replicas[replica] = _Replica(
            self._clock(),
            {
                each.number: self._limiter.add(
                    each.name, each.age_seconds, each.seconds, is_open=each.is_open
                )
                for each in entries
            },
        )

    def admit(
        self, replica: str, number: int, name: str, limits: Limits, seconds: float
    ) -> LimitReached | None:
        """Admit a request, or return why not. It counts as at work until `close`.

        Args:
            name, limits, seconds: as for `Limiter.admit`.

        Raises:
            KeyError: the replica has to join.
        """
        self._forget_silent()
        known = self._replicas[replica]
        if known.is_gone:
            raise KeyError(replica)
        try:
            admission = self._limiter.admit(name, limits, seconds)
        except LimitReached as error:
            return error
        known.admissions[number] = admission
        return None

    def close(self, replica: str, number: int, made_seconds: float) -> None:
        """End a request, as `Admission.close`. One that is not known has ended already."""
        known = self._replicas.get(replica)
        if known is not None and (admission := known.admissions.get(number)) is not None:
            admission.close(made_seconds)

    def withdraw(self, replica: str, number: int) -> None:
        """Count a request as if it had never been admitted."""
        known = self._replicas.get(replica)
        if known is not None and (admission := known.admissions.pop(number, None)) is not None:
            self._limiter.withdraw(admission)

    def renew(self, replica: str, at_work: Collection[int]) -> bool:
        """Take a replica's sign of life.

        Args:
            at_work: the numbers of its requests that are at work.

        Returns:
            False: the replica has to join.
        """
        self._forget_silent()
        known = self._replicas.get(replica)
        if known is None or known.is_gone:
            return False
        known.heard = self._clock()
        for number, admission in known.admissions.items():
            if number not in at_work:
                admission.close(admission.seconds)
        self._forget_past(known)
        return True

    def _forget_silent(self) -> None:
        """End the requests of replicas that are gone; their audio counts to its minute's end."""
        silent_since = self._clock() - SILENT_SECONDS
        for name, replica in list(self._replicas.items()):
            if replica.heard >= silent_since:
                continue
            replica.is_gone = True
            for admission in replica.admissions.values():
                admission.close(admission.seconds)
            self._forget_past(replica)
            if not replica.admissions:
                del self._replicas[name]

    def _forget_past(self, replica: _Replica) -> None:
        replica.admissions = {
            number: admission
            for number, admission in replica.admissions.items()
            if self._limiter.counts(admission)
        }


@dataclass
class _Replica:
    """A replica as the ledger knows it.

    Attributes:
        heard: when it was last heard of.
        admissions: its requests that count, by its numbers.
        is_gone: it has been silent; its requests have ended.
    """

    heard: float
    admissions: dict[int, Admission] = field(default_factory=dict)
    is_gone: bool = False
