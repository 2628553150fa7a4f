"""A daemon beside an Ardour: what the live tests do with both, and what they hear."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.commands import ClockSource
from bridge.control.addresses import read_event
from bridge.control.packets import read_packet
from bridge.events import ClockChanged
from bridge.hosts.ardour.companion import SLOTS, TRACK
from bridge.hosts.ardour.inbox import Inbox, Order, OrderKind, inbox_path
from bridge.hosts.ardour.surface import EMPTY, Surface
from tests.peers.ardour import (
    MASTER,
    OSC_PORT,
    Ardour,
)
from tests.peers.daemon import Client, DaemonProcess
from tests.peers.jack import (
    INPUT_PORTS,
    LONG_PERIOD,
    SAMPLE_RATE,
    JackRecording,
    JackServer,
)
from tests.peers.wait import until

GUIDE = "Guide"
"""The track whose cue slots hold what a musician would play."""
LATENCY_FRAMES = 2 * LONG_PERIOD
"""What leaves Ardour's Master is so much earlier than its transport says, to be heard in time: the
latency of the dummy server's playback."""
ROLL_IN = range(4 * LONG_PERIOD)
"""How far the playhead is beyond the place of a locate: it, too, is ahead of what is heard."""
MOST_PERIODS_OFF = 2
GOOD_CORRELATION = 0.99
MOST_BARS_LATE = 1
"""A clip that is launched just before a bar line begins on the next one."""
CLOCK, REMARK = "/bridge/clock", "/bridge/remark"
PATIENCE_SECONDS = 15.0
SCREENSHOTS = "MELODY_BRIDGE_SCREENSHOTS"
"""Names a folder for the picture of docs/hosts.md."""


class Studio:
    """A daemon beside an Ardour whose Master it records.

    Attributes:
        section: of the session, in which it plays.
    """

    def __init__(
        self, server: JackServer, daemon: DaemonProcess, ardour: Ardour, client: Client
    ) -> None:
        self.server, self.daemon, self.ardour, self.client = server, daemon, ardour, client
        self.section = ardour.sections[0]
        self._number = self._mark = self._tracks = self._placed = 0
        self.connect()
        self._surface = Surface(OSC_PORT)

    def close(self) -> None:
        """Leave Ardour's surface."""
        self._surface.close()

    def connect(self) -> None:
        """Let the daemon record Ardour's Master."""
        for output, input_ in zip(MASTER, INPUT_PORTS, strict=True):
            self.server.connect(output, input_)

    def order(self, kind: OrderKind, subject: Path | str, track: str = GUIDE) -> str:
        """Give the script an order of the test's own; return the error that it answers."""
        self._number += 1
        inbox = Inbox(inbox_path())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind(("127.0.0.1", 0))
            own.settimeout(30)
            order = Order(kind, self._number, track, str(subject))
            reached("Ardour reports its slots", lambda: self.states(0))
            before = self.filled()
            is_made: object = True
            while is_made:
                # After the first time, if it has made the track.
                inbox.put(order.line(own.getsockname()[1]))
                ((_, (number, _, error, is_made)),) = read_packet(own.recv(4096))
        assert number == self._number
        if kind == "slot" and not error:
            reached("the slot is loaded", lambda: self.filled() > before)
        return str(error)

    def states(self, column: int) -> Sequence[int]:
        """The states of a column's slots; empty while Ardour reports none."""
        self._surface.poll()
        columns = self._surface.columns
        return columns.get(column, ()) if columns is not None else ()

    def filled(self) -> int:
        """The number of slots that have a clip."""
        return sum(state != EMPTY for column in range(8) for state in self.states(column))

    def make_room(self, slots: int = 3) -> None:
        """Give the track for the daemon's clips another name if it has fewer free slots than this:
        the next clip gets a new track."""
        if len(SLOTS) - self._placed < slots:
            self._tracks += 1
            name = f"Earlier {self._tracks}"
            self.ardour.lua(f'Session:route_by_name ("{TRACK}"):set_name ("{name}")')
            self.select_guide()
            self._placed = 0

    def select_guide(self) -> None:
        """Select the guide: a new track comes beside it, left of those that were there before."""
        names = """
        local names = {}
        for route in Editor:get_selection ().tracks:routelist ():iter () do
            table.insert (names, route:name ())
        end
        return table.concat (names, ",")
        """

        def is_selected() -> bool:
            if self.ardour.lua(names) == GUIDE:
                return True
            # It goes round.
            self.ardour.send("/access_action", "Editor/select-next-stripable")
            return False

        reached("the guide is selected", is_selected)

    def play(self, section: int = 0, *, bar: float = 0) -> None:
        """Play from a bar of a section, counted from its own first bar line."""
        self.section = self.ardour.sections[section]
        if self.clock().is_playing:
            self.halt()
        self._mark = len(self.client.events)
        frame = round(self.section.frame + bar * self.section.bar_frames)
        self.ardour.send("/locate", frame, 0)
        # After a start during a locate, Ardour 7.3 was seen out of JACK's time.
        reached("the playhead is there", lambda: self.ardour.playhead() - frame in ROLL_IN)
        self.ardour.send("/transport_play")
        self.wait_for_clock(is_playing=True)

    def play_guide(self, slot: int = 0, section: int = 0) -> int:
        """Play from the first bar line of a section, and launch a slot of the guide.

        Returns:
            The number of the bar line, from 0, from which on the slot is sure to play.
        """
        self.play(section)
        self.ardour.send("/trigger_bang", 0, slot)
        reached(f"slot {slot} plays", lambda: tuple(self.states(0)[slot : slot + 1]) == (1,))
        return self.next_bar()

    def halt(self) -> None:
        """Stop the transport and what it plays; Ardour starts again if a clip is launched now."""
        self.ardour.send("/trigger_stop_all", 1)
        self.ardour.send("/transport_stop")
        reached("the daemon's clock stops", lambda: not self.clock().is_playing)

    def clock(self) -> ClockChanged:
        """The daemon's clock, as it was last published."""
        self.client.wait(CLOCK)
        events = [event for event in list(self.client.events) if event.address == CLOCK]
        read = read_event(CLOCK, events[-1].arguments)
        assert isinstance(read, ClockChanged)
        return read

    def wait_for_clock(self, *, is_playing: bool, source: ClockSource = "osc") -> None:
        """Wait until the daemon's clock is Ardour's in this section, and plays or does not."""
        passage = self.section.passage
        meter = (passage.meter.numerator, passage.meter.denominator)
        state = ClockChanged(source, passage.tempo_bpm, *meter, is_playing)

        def is_right() -> bool:
            # Ardour gives JACK a tempo that its ramp has moved by a millionth.
            clock = self.clock()
            return replace(clock, tempo_bpm=round(clock.tempo_bpm, 3)) == state

        reached(f"the daemon's clock is {state}", is_right)

    def wait_for_bar(self, bar: float) -> None:
        """Wait until the playhead has passed a bar line of the section, from 0."""
        beat = self.section.beat + bar * float(self.section.passage.meter.beats_per_bar)
        self.client.wait_for(
            lambda event: event.address == "/bridge/beat" and int(str(event.arguments[0])) >= beat,
            f"beat {beat}",
            after=self._mark,
            patience_seconds=PATIENCE_SECONDS,
        )

    def next_bar(self) -> int:
        """The number of the section's first bar line that the playhead has not passed, from 0."""
        self.wait_for_bar(0)
        beats = [event for event in list(self.client.events) if event.address == "/bridge/beat"]
        beat = int(str(beats[-1].arguments[0])) - self.section.beat
        return int(beat // float(self.section.passage.meter.beats_per_bar)) + 1

    def clip(self, *settings: int | float | str) -> Path:
        """Render a clip, and return its file."""
        id = f"clip-{time.monotonic_ns()}"
        self.client.send("/bridge/generate", id, "prompt", "keys", *settings)
        (clip,) = self.client.done(id)
        return Path(str(clip.arguments[3]))

    def clip_of_script(self, mark: int) -> Path:
        """Wait for the clip that an action script asks for.

        Args:
            mark: the number of events before it was run.
        """
        request = self.client.wait_for(
            lambda event: event.address == "/bridge/request" and "generate" in event.arguments,
            "a script's request",
            after=mark,
            patience_seconds=PATIENCE_SECONDS,
        )
        (clip,) = self.client.done(str(request.arguments[0]))
        return Path(str(clip.arguments[3]))

    def take(self, id: str) -> NDArray[np.float32]:
        """The samples of a capture, `[frames, channels]`."""
        clip = self.clip("melody", id, "bars", 1)
        # Launched later, it would start a transport that is stopped until then.
        assert self.reported(clip).startswith("launched in slot")
        sidecar = json.loads(clip.with_suffix(".json").read_text())
        samples, _ = soundfile.read(sidecar["melody"], dtype="float32", always_2d=True)
        return np.asarray(samples, np.float32)

    def reported(self, clip: Path) -> str:
        """Wait for what the daemon says about a clip's way into Ardour."""
        head = f"{clip.stem}: "
        found: list[str] = []

        def remarked() -> bool:
            remarks = [event for event in list(self.client.events) if event.address == REMARK]
            texts = [str(event.arguments[1]) for event in remarks]
            reports = [text.removeprefix(head) for text in texts if text.startswith(head)]
            # On a slow machine.
            found[:] = [report for report in reports if not report.startswith("waiting")]
            return bool(found)

        reached(f"a remark on {clip.stem}", remarked)
        (report,) = found
        self._placed += not report.startswith("failed")
        return report

    def picture(self) -> None:
        """Check that the screen shows something; keep it where `SCREENSHOTS` says."""
        self.ardour.send("/access_action", "Common/show-trigger")
        image = self.ardour.screen.picture()
        colours = image.getcolors(image.width * image.height)
        assert colours is not None and len(colours) > 50
        if folder := os.environ.get(SCREENSHOTS):
            image.save(Path(folder) / "ardour.png")

    def heard(self, performance: JackRecording, clip: Path, *, bars: int) -> tuple[float, float]:
        """Wait until a clip that has just been launched is heard in a recording of Ardour's Master.

        Args:
            bars: so many are looked for, of the clip again and again.

        Returns:
            The best correlation, and how far from a bar line that place is, in frames.
        """
        line = self.next_bar()
        for bars_late in range(MOST_BARS_LATE + 1):
            self.wait_for_bar(line + bars_late + bars + 0.1)
            correlation, off = self._best(performance, clip, bars)
            if correlation > GOOD_CORRELATION:
                break
        return correlation, off

    def _best(self, performance: JackRecording, clip: Path, bars: int) -> tuple[float, float]:
        """The best place of a clip so far: what `heard` returns."""
        samples, transport = performance.samples_and_transport()
        wanted, rate = soundfile.read(clip, dtype="float32", always_2d=True)
        assert rate == SAMPLE_RATE
        bar_frames = self.section.bar_frames
        wanted = np.resize(wanted, (round(bars * bar_frames), wanted.shape[1]))
        if len(samples) < len(wanted):
            # On a busy machine the recording arrives late.
            return 0.0, 0.0
        start = best_place(np.nan_to_num(samples[:, 0]), wanted[:, 0])
        part = samples[start : start + len(wanted)]
        correlation = np.corrcoef(part.ravel(), wanted.ravel())[0, 1]
        place = (transport[start] + LATENCY_FRAMES - self.section.frame) / bar_frames
        off = abs(place - round(place)) * bar_frames
        # An XRun moves Ardour against JACK's transport by whole periods.
        periods = min(round(off / LONG_PERIOD), MOST_PERIODS_OFF)
        return float(correlation), abs(off - periods * LONG_PERIOD)

    def repeated(self, performance: JackRecording) -> float:
        """How much the last whole bar of a recording is like the one before it: a correlation."""
        samples, transport = performance.samples_and_transport()
        mono = np.nan_to_num(samples[:, 0])
        frames = round(self.section.bar_frames)
        bars = (transport + LATENCY_FRAMES - self.section.frame) / self.section.bar_frames
        first, second = (int(np.searchsorted(bars, int(bars[-1]) - back)) for back in (2, 1))
        before, after = mono[first : first + frames], mono[second : second + frames]
        return float(np.corrcoef(before, after)[0, 1])


def reached(what: str, condition: Callable[[], object]) -> None:
    """Wait for what Ardour does within a second, unless an XRun has disturbed it."""
    until(condition, what, PATIENCE_SECONDS)


def best_place(samples: NDArray[np.float32], wanted: NDArray[np.float32]) -> int:
    """The frame at which the samples are most like what is wanted."""
    size = 1 << (len(samples) + len(wanted)).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(wanted, size).conj()
    similar = np.fft.irfft(spectrum, size)[: len(samples) - len(wanted) + 1]
    return int(similar.argmax())
