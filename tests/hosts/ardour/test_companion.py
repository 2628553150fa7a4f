"""The companion, between a daemon's events and an Ardour that the test plays."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bridge.control.client import MOST_BYTES, ReceivedEvent, read_events
from bridge.control.packets import write_message
from bridge.hosts.ardour import companion
from bridge.hosts.ardour.companion import Companion, Place, Report
from tests.peers.wait import PATIENCE_SECONDS, until

POLLS = 5
"""More than the companion needs to write an order."""
EMPTY_COLUMN = (-1,) * 8


class Stage:
    """A companion, its reports, and both sides of Ardour: the surface and the script.

    Attributes:
        seconds: the companion's time; it moves by the test alone.
        reports: the states of the companion's reports so far.
    """

    def __init__(self, folder: Path, place: Place = "slot", launches: bool = True) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self.folder, self.inbox = folder, folder / "ardour" / "inbox"
        self._reports: list[Report] = []
        self.seconds = 1000.0
        self.companion = Companion(
            ardour_port=self._socket.getsockname()[1],
            place=place,
            launches=launches,
            report=self._reports.append,
            inbox=self.inbox,
            now_seconds=lambda: self.seconds,
        )
        self._port = 0

    def close(self) -> None:
        self.companion.close()
        self._socket.close()

    @property
    def reports(self) -> list[str]:
        return [report.state for report in self._reports]

    @property
    def detail(self) -> str:
        """The last report's sentence."""
        return self._reports[-1].detail

    def clip(self, id: str, *, bars: int = 4, index: int = 0, tempo_bpm: float = 96.0) -> Path:
        """Let the daemon publish a clip of that request."""
        path = self.folder / f"{id} {tempo_bpm:g}bpm {bars}bars.wav"
        arguments = (id, index, 1, str(path), bars, tempo_bpm, 7, -1.0, 4, 4, 44_100, path.stem)
        self.companion.receive(ReceivedEvent("/bridge/clip", arguments))
        return path

    def begin(self, id: str, kind: str = "generate") -> None:
        """Let the daemon begin a request."""
        self.companion.receive(ReceivedEvent("/bridge/request", (id, kind)))

    def surface_on(self, *columns: Sequence[int]) -> None:
        """Let Ardour report its columns to whoever asked for them."""
        if not self._port:
            self.companion.poll()
            datagram, (_, self._port) = self._socket.recvfrom(MOST_BYTES)
            (event,) = read_events(datagram)
            # Port 0: as Ardour answers to any other, it takes out the surfaces of other programs.
            assert (event.address, event.arguments[-1]) == ("/set_surface", 0)
        for number, states in enumerate(columns):
            self.say(f"/trigger_grid/{number}/state", -1.0, *states)
        self.companion.poll()

    def order(self) -> list[str]:
        """Read and remove the order in the inbox, as the script does."""
        until(self.has_order, "an order is written")
        words = self.inbox.read_text().rstrip("\n").split("\t")
        self.inbox.unlink()
        self._port = int(words[2])
        return words

    def answer(
        self, number: str, column: int = 0, error: str = "", *, is_made: bool = False
    ) -> None:
        """Answer an order, as the script does.

        Args:
            is_made: the script has only made the track.
        """
        count = len(self._reports)
        self.say("/ardour/answer", int(number), column, error, int(is_made))
        self.companion.poll()
        assert len(self._reports) in (count, count + 1)

    def launched(self) -> tuple[object, ...]:
        """The column and slot that the companion has launched."""
        for event in self._received():
            if event.address == "/trigger_bang":
                return event.arguments
        return self.launched()

    def has_order(self) -> bool:
        """Let the companion go on; whether there is an order in the inbox then."""
        for _ in range(POLLS):
            self.companion.poll()
        return self.inbox.exists()

    def end(self, id: str) -> None:
        """Let the daemon end a request."""
        self.companion.receive(ReceivedEvent("/bridge/done", (id, 1)))

    def _received(self) -> Sequence[ReceivedEvent]:
        return read_events(self._socket.recv(MOST_BYTES))

    def say(self, address: str, *arguments: int | float | str) -> None:
        """Send a message of Ardour's to the companion."""
        self._socket.sendto(write_message(address, arguments), ("127.0.0.1", self._port))


@pytest.fixture(autouse=True)
def no_wait_for_the_surface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion, "SURFACE_SECONDS", 0.0)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with closing(Stage(tmp_path)) as stage:
        yield stage


def test_a_new_clip_is_placed_and_launched_in_the_slot_that_it_filled(stage: Stage) -> None:
    stage.surface_on(EMPTY_COLUMN, (0, -1, 1, *EMPTY_COLUMN[3:]))
    stage.begin("me-1")
    path = stage.clip("me-1")
    kind, number, _, track, subject = stage.order()
    assert (kind, track, subject) == ("slot", "Melody Bridge", str(path))
    stage.answer(number, column=1)
    assert stage.reports == []
    stage.surface_on(EMPTY_COLUMN, (0, 0, 1, *EMPTY_COLUMN[3:]))
    assert stage.launched() == (1, 1)
    assert stage.reports == ["launched"]
    assert "slot B" in stage.detail


def test_clips_that_are_listed_or_published_again_are_not_placed(stage: Stage) -> None:
    stage.begin("list-1", kind="clips")
    stage.clip("list-1")
    stage.clip("restored-1")
    assert not stage.has_order()
    stage.begin("me-1")
    path = stage.clip("me-1")
    order = stage.order()
    assert order[4] == str(path)
    stage.begin("me-1")  # As with a new subscription.
    stage.clip("me-1")
    stage.answer(order[1])
    stage.end("me-1")
    stage.clip("me-1")
    stage.seconds += companion.LOADING_SECONDS
    assert not stage.has_order()
    assert stage.reports == ["placed"]


def test_a_daemon_that_is_started_anew_may_use_an_id_again(stage: Stage) -> None:
    for tempo_bpm, is_killed in ((96, False), (97, True), (98, False)):
        stage.begin("hotkeys-1")
        path = stage.clip("hotkeys-1", tempo_bpm=tempo_bpm)
        order = stage.order()
        assert order[4] == str(path)
        stage.answer(order[1])
        if not is_killed:
            stage.end("hotkeys-1")
        stage.companion.poll()
        stage.seconds += companion.LOADING_SECONDS


def test_the_clips_of_a_live_loop_stay_with_it(stage: Stage) -> None:
    stage.begin("loop:me.1quick")
    stage.clip("loop:me.1quick")
    assert not stage.has_order()


def test_orders_wait_for_each_other(stage: Stage) -> None:
    stage.begin("me-1")
    first, second = stage.clip("me-1"), stage.clip("me-1", index=1, tempo_bpm=97)
    order = stage.order()
    assert order[4] == str(first)
    assert not stage.has_order()
    stage.answer(order[1])
    # Ardour reports no slots: the first one may not be loaded yet.
    assert not stage.has_order()
    stage.seconds += companion.LOADING_SECONDS
    assert stage.order()[4] == str(second)


def test_a_slot_that_ardour_reports_as_loaded_delays_no_order(stage: Stage) -> None:
    stage.surface_on(EMPTY_COLUMN)
    stage.begin("me-1")
    stage.clip("me-1")
    second = stage.clip("me-1", index=1, tempo_bpm=97)
    stage.answer(stage.order()[1])
    stage.surface_on((0, *EMPTY_COLUMN[1:]))
    assert stage.order()[4] == str(second)


def test_a_track_that_is_made_left_of_others_is_seen_empty_before_its_clip_is_ordered(
    stage: Stage,
) -> None:
    drums, bass = (0, 0, *EMPTY_COLUMN[2:]), (0, 1, *EMPTY_COLUMN[2:])
    stage.surface_on(drums, bass)
    stage.begin("me-1")
    path = stage.clip("me-1")
    stage.answer(stage.order()[1], column=1, is_made=True)
    assert not stage.has_order()
    stage.surface_on(drums)
    assert not stage.has_order()
    stage.surface_on(drums, EMPTY_COLUMN, bass)
    kind, number, *_, subject = stage.order()
    assert (kind, subject) == ("slot", str(path))
    stage.answer(number, column=1)
    stage.surface_on(drums, EMPTY_COLUMN, bass)
    assert stage.reports == []
    stage.surface_on(drums, (0, *EMPTY_COLUMN[1:]), bass)
    assert stage.launched() == (1, 0)
    assert stage.reports == ["launched"]


def test_without_the_surface_a_new_track_gets_its_clip_at_once(stage: Stage) -> None:
    stage.begin("me-1")
    path = stage.clip("me-1")
    stage.answer(stage.order()[1], is_made=True)
    order = stage.order()
    assert order[4] == str(path)
    stage.answer(order[1])
    stage.companion.poll()
    assert stage.reports == ["placed"]


def test_an_order_that_no_script_reads_is_reported_once_and_the_remedy_named(stage: Stage) -> None:
    stage.begin("me-1")
    stage.clip("me-1")
    stage.clip("me-1", index=1, tempo_bpm=97)
    assert stage.has_order()
    stage.seconds += companion.UNREAD_SECONDS
    assert stage.has_order()
    assert stage.reports == []
    for _ in range(3):
        stage.seconds += companion.UNREAD_SECONDS
        assert stage.has_order()
    assert stage.reports == ["waiting"]
    assert "add the hook" in stage.detail


def test_clips_that_waited_too_long_for_ardour_are_placed_and_not_launched(stage: Stage) -> None:
    stage.begin("me-1")
    stage.clip("me-1")
    stage.clip("me-1", index=1, tempo_bpm=97)
    assert stage.has_order()
    stage.seconds += companion.LATE_SECONDS + 1
    stage.clip("me-1", index=2, tempo_bpm=98)
    stage.surface_on(EMPTY_COLUMN)
    for slot in range(3):
        stage.answer(stage.order()[1])
        stage.surface_on((*(0,) * (slot + 1), *EMPTY_COLUMN[slot + 1 :]))
    assert stage.launched() == (0, 2)
    assert stage.reports == ["waiting", "placed", "placed", "launched"]


def test_without_the_surface_the_clip_is_placed_and_the_remedy_named(stage: Stage) -> None:
    stage.begin("me-1")
    stage.clip("me-1")
    stage.answer(stage.order()[1])
    stage.companion.poll()
    assert stage.reports == ["placed"]
    assert "Open Sound Control" in stage.detail


def test_a_clip_waits_for_ardours_slots(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion, "SURFACE_SECONDS", PATIENCE_SECONDS)
    stage.begin("me-1")
    stage.clip("me-1")
    assert not stage.has_order()
    stage.surface_on(EMPTY_COLUMN)
    stage.answer(stage.order()[1])
    stage.surface_on((0, *EMPTY_COLUMN[1:]))
    assert stage.launched() == (0, 0)


def test_an_ardour_that_starts_later_launches_the_order_that_waited(stage: Stage) -> None:
    stage.begin("me-1")
    stage.clip("me-1")
    until(stage.has_order, "an order is written")
    stage.surface_on(EMPTY_COLUMN)
    stage.answer(stage.order()[1])
    stage.surface_on((0, *EMPTY_COLUMN[1:]))
    assert stage.launched() == (0, 0)


def test_slots_that_ardour_empties_to_end_a_surface_count_for_nothing(stage: Stage) -> None:
    filled = (0, *EMPTY_COLUMN[1:])
    stage.surface_on(filled)
    stage.begin("me-1")
    stage.clip("me-1")
    order = stage.order()
    stage.surface_on(EMPTY_COLUMN)
    stage.say("/jog/mode", 0)
    stage.answer(order[1])
    stage.surface_on(filled)
    assert stage.reports == []
    stage.surface_on((0, 0, *EMPTY_COLUMN[2:]))
    assert stage.launched() == (0, 1)


def test_a_clip_in_a_slot_that_ardour_does_not_report_is_placed(stage: Stage) -> None:
    stage.surface_on((0,) * 8)
    stage.begin("me-1")
    stage.clip("me-1")
    stage.answer(stage.order()[1])
    assert stage.reports == ["placed"]
    assert "slots A to H" in stage.detail


def test_what_ardour_refuses_is_reported_and_the_next_clip_gets_its_turn(stage: Stage) -> None:
    stage.begin("me-1")
    stage.clip("me-1")
    stage.clip("me-1", index=1, tempo_bpm=97)
    stage.answer(stage.order()[1], error="Ardour makes no track")
    assert stage.reports == ["failed"]
    assert "no track" in stage.detail
    stage.order()


def test_a_clip_that_cannot_be_repeated_is_reported(stage: Stage) -> None:
    stage.begin("me-1")
    stage.clip("me-1", bars=3)  # Its file does not exist.
    stage.companion.poll()
    assert stage.reports == ["failed"]


def test_a_raw_clip_is_refused_in_a_slot_and_the_next_one_gets_its_turn(stage: Stage) -> None:
    stage.begin("me-1")
    raw, whole = stage.clip("me-1", bars=0), stage.clip("me-1", index=1)
    assert stage.order()[4] == str(whole)
    assert stage.reports == ["failed"]
    assert raw.name in stage.detail and "ask for bars" in stage.detail


def test_a_raw_clip_is_put_on_the_timeline_as_it_is(tmp_path: Path) -> None:
    with closing(Stage(tmp_path, place="region")) as stage:
        stage.begin("me-1")
        raw = stage.clip("me-1", bars=0)
        kind, number, *_, subject = stage.order()
        assert (kind, subject) == ("region", str(raw))
        stage.answer(number)
        assert stage.reports == ["placed"]


def test_a_tempo_that_ardour_does_not_loop_is_mentioned(stage: Stage) -> None:
    stage.begin("me-1")
    stage.clip("me-1", tempo_bpm=150)
    stage.answer(stage.order()[1])
    stage.companion.poll()
    assert "follow action" in stage.detail


def test_a_discarded_clip_leaves_the_timeline(tmp_path: Path) -> None:
    with closing(Stage(tmp_path, place="region")) as stage:
        stage.begin("me-1")
        path = stage.clip("me-1", bars=3)
        kind, number, *_, subject = stage.order()
        assert (kind, subject) == ("region", str(path))
        stage.answer(number)
        mark = ("me-1", 0, "discarded", str(path))
        stage.companion.receive(ReceivedEvent("/bridge/mark", mark))
        kind, number, *_, subject = stage.order()
        assert (kind, subject) == ("remove", path.stem)
        stage.answer(number)
        assert stage.reports == ["placed", "removed"]


def test_an_order_of_an_earlier_run_is_not_carried_out(tmp_path: Path) -> None:
    inbox = tmp_path / "ardour" / "inbox"
    inbox.parent.mkdir()
    inbox.write_text("slot\t1\t1\tMelody Bridge\t/old.wav\n")
    with closing(Stage(tmp_path)):
        assert not inbox.exists()
