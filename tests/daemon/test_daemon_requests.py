"""Requests of clients on a stage: remarks, order, discards during a render, a full disk."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.config import RunOptions
from bridge.daemon.daemon import Daemon
from bridge.daemon.renders import MOST_ADMITTED
from bridge.daemon.snapshot import Snapshot
from bridge.delivery import History
from tests.peers.daemon import Client, DaemonProcess, Received, alive, running
from tests.peers.kills import working

LONG = ("melody", "none", "bars", 14)
SHORT = ("melody", "none", "bars", 1)


@pytest.fixture(scope="module")
def shared(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon without input."""
    clips = tmp_path_factory.mktemp("requests") / "Clips"
    with running(clips, "--model", str(model)) as daemon:
        yield daemon.ready()


@pytest.fixture
def client(shared: DaemonProcess, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client with its own name, so that no id is another test's."""
    with Client(shared.port, request.node.name[-50:]) as client:
        yield client


def remarks(client: Client, id: str) -> list[str]:
    return [str(event.arguments[1]) for event in client.of(id) if event.address.endswith("remark")]


def sidecar(clip: Received) -> dict[str, object]:
    fields: dict[str, object]
    fields = json.loads(Path(str(clip.arguments[3])).with_suffix(".json").read_text())
    return fields


def test_ids_without_a_dash_belong_to_one_client(
    shared: DaemonProcess, client: Client, melodies: Path, tmp_path: Path
) -> None:
    midi = Path(shutil.copy(melodies / "twinkle-100bpm.mid", tmp_path))
    client.send("/bridge/capture/file", "t1", str(midi))
    client.send("/bridge/generate", "g1", *("bars", 1))
    (clip,) = client.done("g1")
    assert sidecar(clip)["melody"] == str(midi)
    # Another client has captured none: its clip says so, unless it asked for none.
    client.send("/bridge/generate", "other-1", *("bars", 1, "prompt", "bells"))
    client.send("/bridge/generate", "other-2", *("bars", 1, "melody", "none"))
    (clip,) = client.done("other-1")
    (remark,) = [text for text in remarks(client, "other-1") if "melody t1" in text]
    assert remark in sidecar(clip)["remarks"]  # type: ignore[operator]
    client.done("other-2")
    assert not any("melody t1" in text for text in remarks(client, "other-2"))


def test_an_id_that_is_used_again_for_something_else_is_refused(client: Client) -> None:
    id = f"{client.name}-1"
    client.send("/bridge/generate", id, *SHORT, "seed", 7)
    client.done(id)
    client.send("/bridge/generate", id, *SHORT, "seed", 8)
    code, message = client.wait("/bridge/error", id).arguments[1:]
    assert code == "bad-argument" and "seed 7, and now with seed 8" in str(message)


def test_what_was_decided_is_published_under_the_request(
    client: Client, melodies: Path, tmp_path: Path
) -> None:
    id = client.name
    midi = Path(shutil.copy(melodies / "twinkle-100bpm.mid", tmp_path))
    client.send("/bridge/capture/file", f"{id}-1", str(midi))
    client.send("/bridge/generate", f"{id}-2", "bars", 3)
    (clip,) = client.done(f"{id}-2")
    assert remarks(client, f"{id}-2") and sidecar(clip)["remarks"] == remarks(client, f"{id}-2")
    first = next(event for event in client.of(f"{id}-2") if event.address == "/bridge/remark")
    assert client.events.index(first) < client.events.index(clip)


def test_a_clip_that_is_discarded_while_it_is_made_is_moved_when_it_is_done_and_can_come_back(
    shared: DaemonProcess, client: Client
) -> None:
    id = f"{client.name}-1"
    client.send("/bridge/generate", id, *LONG)
    working(client, id)
    client.send("/bridge/discard", id)
    client.send("/bridge/discard", id)
    client.send("/bridge/discard", id, 9)
    (clip,) = client.done(id)
    path = Path(str(clip.arguments[3]))
    done = client.events.index(client.ended(id))
    client.wait("/bridge/done", id, 1, after=done + 1)
    client.wait("/bridge/remark", id, after=done)
    assert not path.exists() and (shared.clips / "Discarded" / path.name).exists()
    assert not any(event.address == "/bridge/error" for event in client.of(id))
    assert any("discarded when it is done" in text for text in remarks(client, id))
    before = len(client.events)
    client.send("/bridge/restore", id)
    client.wait("/bridge/done", id, 1, after=before)
    again = client.wait("/bridge/clip", id, after=before)
    assert again.arguments == clip.arguments
    assert path.exists() and path.with_suffix(".json").exists()


def test_a_discard_that_waits_can_be_undone(client: Client) -> None:
    id = f"{client.name}-1"
    client.send("/bridge/generate", id, *LONG)
    client.send("/bridge/discard", id)
    client.send("/bridge/restore", id)
    (clip,) = client.done(id)
    client.sync()
    assert Path(str(clip.arguments[3])).exists()
    assert any("will stay" in text for text in remarks(client, id))


def test_a_clip_that_is_kept_while_it_is_made_is_kept_when_it_is_done(client: Client) -> None:
    id = f"{client.name}-1"
    client.send("/bridge/generate", id, *LONG)
    working(client, id)
    client.send("/bridge/discard", id)
    client.send("/bridge/keep", id)
    (clip,) = client.done(id)
    assert client.wait("/bridge/mark", id).arguments == (id, 0, "kept", clip.arguments[3])
    assert sidecar(clip)["kept"] is True


def test_a_kept_clip_is_not_discarded_until_it_is_let_go(client: Client) -> None:
    id = f"{client.name}-1"
    client.send("/bridge/generate", id, *SHORT, "variations", 2)
    first, second = client.done(id)
    client.send("/bridge/keep", id, 1)
    client.wait("/bridge/mark", id)
    client.send("/bridge/discard", id, 1)
    error = client.wait("/bridge/error", id)
    assert error.arguments[1] == "bad-argument" and "kept" in str(error.arguments[2])
    # All of them: the kept one stays, and a remark says so.
    after = len(client.events)
    client.send("/bridge/discard", id)
    client.wait("/bridge/done", id, 1, after=after)
    assert any("clip 1 is kept" in text for text in remarks(client, id))
    assert not Path(str(first.arguments[3])).exists() and Path(str(second.arguments[3])).exists()
    # A list of clips, and the request sent again, say what became of them.
    client.send("/bridge/clips", f"{client.name}-2")
    listed = {each.arguments[3]: each.arguments[12] for each in client.done(f"{client.name}-2")}
    assert listed[second.arguments[3]] == "kept" and first.arguments[3] not in listed
    after = len(client.events)
    client.send("/bridge/generate", id, *SHORT, "variations", 2)
    client.wait("/bridge/done", id, 2, after=after)
    again = [each for each in client.events[after:] if each.address == "/bridge/clip"]
    assert [each.arguments[12] for each in again] == ["discarded", "kept"]
    after = len(client.events)
    client.send("/bridge/unkeep", id, 1)
    client.wait("/bridge/done", id, 1, after=after)
    client.send("/bridge/discard", id)
    client.wait_for(
        lambda event: event.arguments[1:3] == (1, "discarded"), "the second clip's discard"
    )
    assert not Path(str(second.arguments[3])).exists()


def test_a_discard_of_a_capture_under_way_does_not_end_it(client: Client) -> None:
    id = f"{client.name}-1"
    client.send("/bridge/capture/notes", id, 1, 0, 60, 1)
    client.send("/bridge/discard", id)
    event = client.wait("/bridge/error", "-", "unknown-id")
    assert id in str(event.arguments[2])
    client.send("/bridge/capture/stop", id)
    client.done(id)


def test_requests_are_rendered_in_their_order_and_a_full_queue_is_answered_at_once(
    client: Client, melodies: Path, tmp_path: Path
) -> None:
    id = client.name
    # The first one's melody takes longer to plan than no melody does.
    hum = Path(shutil.copy(melodies / "twinkle-hum-100bpm.wav", tmp_path))
    client.send("/bridge/capture/file", f"{id}-0", str(hum))
    client.done(f"{id}-0")
    client.send("/bridge/generate", f"{id}-1", *("bars", 14, "melody", f"{id}-0"))
    for number in range(2, MOST_ADMITTED + 2):
        client.send("/bridge/generate", f"{id}-{number}", *SHORT)
    code, _ = client.failed(f"{id}-{MOST_ADMITTED + 1}")
    assert code == "queue-full"
    admitted = [f"{id}-{number}" for number in range(1, MOST_ADMITTED + 1)]
    for each in admitted:
        client.done(each)
    begun = [client.events.index(working(client, each)) for each in admitted]
    assert begun == sorted(begun)
    refused = client.events.index(client.ended(f"{id}-{MOST_ADMITTED + 1}"))
    assert refused < min(client.events.index(client.ended(each)) for each in admitted)
    # It was not accepted, so it can be sent again.
    client.send("/bridge/generate", f"{id}-{MOST_ADMITTED + 1}", *SHORT)
    client.wait("/bridge/done", f"{id}-{MOST_ADMITTED + 1}", 1)


def limit_files(pid: int, size: int) -> int:
    """Limit the size of a process's files, as a full disk does; return the limit before."""
    if sys.platform != "linux":
        pytest.skip("needs prlimit")
    import resource

    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    return hard


def test_a_clip_that_is_finished_while_the_disk_is_full_is_written_when_there_is_room(
    shared: DaemonProcess, client: Client
) -> None:
    id = f"{client.name}-1"
    client.send("/bridge/generate", id, *LONG)
    # The buffer for the engine's audio counts as a file too, and exists by now.
    working(client, id)
    before = sorted(shared.clips.rglob("*"))
    unlimited = limit_files(shared.process.pid, 1000)
    client.wait_for(
        lambda event: event[0] == "/bridge/remark" and "when there is room" in str(event[1]),
        "the clip is kept",
    )
    assert sorted(shared.clips.rglob("*")) == before
    limit_files(shared.process.pid, unlimited)
    (clip,) = client.done(id)
    assert Path(str(clip.arguments[3])).exists()
    assert len(sorted(shared.clips.rglob("*"))) == len(before) + 2


def test_a_daemon_that_stops_while_the_disk_is_full_says_that_the_clip_is_lost(
    model: Path, tmp_path: Path
) -> None:
    with running(tmp_path, "--model", str(model)) as daemon, Client(daemon.port) as client:
        client.send("/bridge/generate", "me-1", *LONG)
        working(client, "me-1")
        limit_files(daemon.process.pid, 1000)
        client.wait_for(
            lambda event: event[0] == "/bridge/remark" and "when there is room" in str(event[1]),
            "the clip is kept",
        )
        assert daemon.stop() == 0
        code, message = client.failed("me-1")
        assert code == "cancelled" and "never written" in message


def test_everything_is_closed_whatever_raises(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> tuple[int, list[int]]:
        options = RunOptions(osc_port=0, input="none", model=str(model))
        snapshot = Snapshot()
        daemon = Daemon(options, tmp_path, History(tmp_path), snapshot)

        async def fails() -> None:
            raise ZeroDivisionError("unexpected")

        await daemon.start()
        children = [int(child.pid or 0) for child in multiprocessing.active_children()]
        daemon._session.stop = fails  # type: ignore[method-assign]
        await daemon.close()
        return snapshot.port, children

    port, children = asyncio.run(run())
    assert children and not any(map(alive, children))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", port))
    assert "stopping requests failed" in caplog.text and "unexpected" in caplog.text


def test_a_loop_grows_by_its_id_and_by_its_path(client: Client, tmp_path: Path) -> None:
    first, second, third = (f"{client.name}-{number}" for number in (1, 2, 3))
    client.send("/bridge/generate", first, *SHORT, "prompt", "bells")
    (clip,) = client.done(first)
    client.send("/bridge/generate", second, "melody", "none", "continue", first, "bars", 2)
    (grown,) = client.done(second)
    assert grown.arguments[4] == 2
    assert sidecar(grown)["continue_from"] == clip.arguments[3]
    # The clip's own prompt, since none was given.
    assert sidecar(grown)["prompt"] == sidecar(clip)["prompt"]
    path = str(grown.arguments[3])
    client.send("/bridge/generate", third, "melody", "none", "continue", path, "bars", 3)
    (clip,) = client.done(third)
    assert clip.arguments[4] == 3


@pytest.mark.parametrize(
    ("named", "code", "message"),
    [
        ("nobody-1", "unknown-id", "nobody-1"),
        ("/etc/passwd.wav", "path-refused", "outside"),
        ("../clip.wav", "path-refused", "whole path"),
    ],
)
def test_what_cannot_be_continued_is_refused(
    client: Client, named: str, code: str, message: str
) -> None:
    id = f"{client.name}-1"
    client.send("/bridge/generate", id, "continue", named, "bars", 2)
    got_code, got_message = client.wait("/bridge/error", id).arguments[1:]
    assert got_code == code and message in str(got_message)
