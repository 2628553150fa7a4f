"""The program's entry: signal handlers first, so that Ctrl-C is clean during the other imports."""

from __future__ import annotations

import sys

from bridge.process import signals


def main() -> int:
    """Run the command line of this process; return the exit status."""
    signals.install()
    from bridge import cli

    try:
        return cli.main(sys.argv[1:])
    except signals.Interrupted as interrupted:
        signals.leave(interrupted.number)


if __name__ == "__main__":
    sys.exit(main())
