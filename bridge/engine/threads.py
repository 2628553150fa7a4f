"""How torch's threads wait in a process that shares the machine with a DAW and other programs.

Nothing here imports torch: it reads the policy once, when it is imported.
"""

from __future__ import annotations

import os

_POLICY = "OMP_WAIT_POLICY"
_NUMBER = "OMP_NUM_THREADS"


def let_idle_threads_sleep() -> None:
    """Have torch's idle threads sleep; call it before torch is imported. A policy that is set wins.

    By default they spin until the last one is done. When another program takes one of their cores,
    they spin through its turns: a clip took up to ten times as long (measured).
    """
    os.environ.setdefault(_POLICY, "passive")


def use_threads(number: int | None) -> None:
    """Set the number of torch's threads, whatever the environment says; call it before torch is
    imported.

    Args:
        number: 1 or more; None: as many as torch takes for itself, one for each core.
    """
    if number is None:
        os.environ.pop(_NUMBER, None)
    else:
        os.environ[_NUMBER] = str(number)


def idle_threads_sleep() -> bool:
    """Whether torch's idle threads sleep in this process."""
    return os.environ.get(_POLICY, "").lower() == "passive"
