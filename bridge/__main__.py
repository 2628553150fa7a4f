"""The program's entry: signal handlers first, so that Ctrl-C is clean during the other imports."""

from __future__ import annotations

import os
import sys

from bridge.process import signals

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""For numpy's matrices, which are small here: a second thread spins for longer than it computes.

On two cores a plan takes half the time without it, and finishing a clip a quarter less. The engine
does not use this library. A value that the user has set stays.
"""


def main() -> int:
    """Run the command line of this process; return the exit status."""
    signals.install()
    # Read when numpy is imported, and inherited by child processes.
    os.environ.update({**ONE_THREAD, **os.environ})
    from bridge import cli

    try:
        return cli.main(sys.argv[1:])
    except signals.Interrupted as interrupted:
        signals.leave(interrupted.number)


if __name__ == "__main__":
    sys.exit(main())
