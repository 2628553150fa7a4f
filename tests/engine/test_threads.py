"""A clip rendered beside other programs takes its share of the cores, and burns no more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

RENDER = (
    *(sys.executable, "-m", "bridge", "render"),
    *("--prompt", "soft piano, no drums", "--bars", "2", "--seed", "1"),
)


@pytest.mark.parametrize(("given", "kept"), [(None, "passive"), ("active", "active")])
@pytest.mark.parametrize("command", ["render", "demo", "eval"])
def test_idle_threads_sleep_in_a_command_unless_the_user_says_otherwise(
    command: str, given: str | None, kept: str, tmp_path: Path
) -> None:
    """The command ends where it loads the model, and prints the policy that torch would read."""
    arguments = {
        "render": ["--prompt", "keys", "--bars", "1", "--out", str(tmp_path)],
        "demo": ["--out", str(tmp_path)],
        "eval": [],
    }[command]
    program = (
        "import os, sys\n"
        "import bridge.engine\n"
        "from bridge import cli\n"
        "def load(*_, **__):\n"
        "    print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)\n"
        "    sys.exit(0)\n"
        "bridge.engine.load = load\n"
        f"cli.main({[command, *arguments]!r})\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(OMP_WAIT_POLICY=given),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == [kept, "False"]


def test_the_number_of_threads_does_not_come_from_the_environment() -> None:
    """Ray gives a replica one thread, whatever the machine has."""
    alone = torch_threads("", OMP_NUM_THREADS=None)
    assert torch_threads("use_threads(None)", OMP_NUM_THREADS="1") == alone
    assert torch_threads("use_threads(1)", OMP_NUM_THREADS=str(alone)) == 1


def torch_threads(before: str, **variables: str | None) -> int:
    """The number that torch has in a process which does something before it imports it."""
    program = (
        "from bridge.engine.threads import use_threads\n"
        f"{before}\n"
        "import torch\n"
        "print(torch.get_num_threads())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout)


@pytest.mark.slow
@pytest.mark.exclusive
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX's CPU times of a child")
@pytest.mark.parametrize("busy", [1, 2])
def test_a_render_beside_busy_cores_burns_no_more_cpu_time(busy: int, tmp_path: Path) -> None:
    """Threads that spin through another program's turns burn five times as much (measured).

    Not the wall time: other programs share in it, so on a busy machine it means nothing.
    """
    alone = cpu_seconds(tmp_path / "alone")
    with busy_cores(busy):
        assert cpu_seconds(tmp_path / "beside") < 2.5 * alone


def cpu_seconds(out: Path) -> float:
    """CPU seconds of a render in a process of its own."""
    before = os.times()
    subprocess.run([*RENDER, "--out", str(out)], env=environment(), capture_output=True, check=True)
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def environment(**variables: str | None) -> dict[str, str]:
    """This process's environment as a user's shell has it: `conftest.py` sets torch's threads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    return kept | {name: value for name, value in variables.items() if value is not None}


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """That many processes that never wait, inside."""
    spin = "print(flush=True)\nwhile True: pass"
    spinning = [
        subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) for _ in range(count)
    ]
    try:
        for process in spinning:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
