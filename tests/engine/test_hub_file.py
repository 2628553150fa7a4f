"""A file of the hub comes with progress, stays for the next time, and can be given up.

A local server answers as Hugging Face does; the client is the real one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

FILE_BYTES = 20 * 2**20 + 5
"""Two pieces of the client's 10 MiB, and a rest."""
COMMIT = "0" * 40
SCRIPT = """
import sys
from bridge.engine.hub_file import hub_file

class Enough(Exception): pass

def progress(share):
    shares.append(share)
    if sys.argv[1:] and (share or 0) > 0.4:
        raise Enough

shares = []
try:
    path = hub_file("someone/things", "thing.bin", progress)
    print(path.stat().st_size)
except Enough:
    print("given up")
known = [share for share in shares if share is not None]
print(known == sorted(known) and all(0 <= share <= 1 for share in known), len(shares) > 0)
"""


class Hub(BaseHTTPRequestHandler):
    """One repository with one file, whose second half comes once `may_end` is set."""

    may_end = threading.Event()
    fetches = 0

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        if not self._answer():
            return
        Hub.fetches += 1
        try:
            self.wfile.write(bytes(FILE_BYTES // 2 + 100))
            self.may_end.wait(60)
            self.wfile.write(bytes(FILE_BYTES - FILE_BYTES // 2 - 100))
        except OSError:
            pass

    def _answer(self) -> bool:
        """Send the headers; return whether the file is asked for."""
        if "/resolve/" not in self.path:
            self.send_error(404)
            return False
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", '"thing"')
        self.send_header("Content-Length", str(FILE_BYTES))
        self.end_headers()
        return True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.may_end.clear()
    Hub.fetches = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        Hub.may_end.set()
        server.shutdown()


def fetch(endpoint: str, cache: Path, *arguments: str) -> list[str]:
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()


def test_a_file_is_fetched_once_with_rising_shares(hub: str, tmp_path: Path) -> None:
    Hub.may_end.set()
    assert fetch(hub, tmp_path) == [str(FILE_BYTES), "True True"]
    assert Hub.fetches == 1
    # Now from the cache: nothing to report, and no network.
    assert fetch("http://127.0.0.1:9", tmp_path) == [str(FILE_BYTES), "True False"]


def test_giving_up_does_not_wait_for_a_silent_network(hub: str, tmp_path: Path) -> None:
    # The server is silent after half of the file, and the process ends all the same.
    assert fetch(hub, tmp_path, "give up") == ["given up", "True True"]
    assert not Hub.may_end.is_set()
    Hub.may_end.set()
    assert fetch(hub, tmp_path)[0] == str(FILE_BYTES)
