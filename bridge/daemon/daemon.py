"""The daemon: it connects controls, stages and child processes, and owns the event loop.

The model, the audio input and the MIDI ports each have a child process. The daemon takes commands
from its controls, writes clips, and publishes events to all controls.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from bridge import __version__
from bridge.capture.played import PlayedNotes
from bridge.clock.clocks import Clocks
from bridge.clock.midi_clock import MidiClock
from bridge.clock.session_time import SessionTime
from bridge.commands import PROTOCOL
from bridge.config import NO_INPUT, NO_OUTPUT, OPTIONS, RunOptions
from bridge.control import Control, HotkeyControl, MidiControl, OscControl
from bridge.daemon.capture_sources import CaptureSources
from bridge.daemon.captures import CaptureRegistry
from bridge.daemon.clock_readers import ClockReaders
from bridge.daemon.count_in import CountIn
from bridge.daemon.defaults import SessionDefaults
from bridge.daemon.event_log import EventLog
from bridge.daemon.logs import log_fields, log_path, set_up
from bridge.daemon.melody_files import MelodyFiles
from bridge.daemon.old_takes import OldTakes
from bridge.daemon.output import Output
from bridge.daemon.pitch_meter import PitchMeter
from bridge.daemon.playing import NO_OUTPUT_CHOSEN
from bridge.daemon.renders import MOST_ADMITTED
from bridge.daemon.requests import RequestRegistry
from bridge.daemon.session import NO_ID, Session
from bridge.daemon.snapshot import GENERATE, Snapshot
from bridge.delivery import History, takes_folder
from bridge.engine.process.hosts import make_engine
from bridge.errors import BadArgument
from bridge.events import (
    BeatReached,
    ClipReady,
    EngineChanged,
    EngineState,
    Event,
    Hello,
    InputChanged,
    InputOverflowed,
    Level,
    MidiPortsChanged,
    NetworkChanged,
    Pong,
    QueueChanged,
    Remark,
)
from bridge.melody import usual_roots
from bridge.midi import MidiMessage, MidiPorts
from bridge.midi.names import NONE as NO_MIDI
from bridge.process import signals
from bridge.process.tasks import all_of, keep_running
from bridge.rendering import outputs
from bridge.screens.status import Screen, shown
from bridge.soundcard.level import level
from bridge.soundcard.listener import Listener

LEVEL_SECONDS = 0.1
"""How often the level is published (docs/osc.md)."""
RECORDING_SECONDS = 0.02
"""How often captures are polled while one records: a finished one waits that long at most."""
SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter while the event loop waits; Python's own is 5 ms.

With eight threads at work, a message would wait for each of them in turn.
"""
MISTAKE = 2
"""The exit status for a mistake in the input."""
LONGEST_FOLDER_BYTES = 2000
"""Limit for the path of the clips folder: a clip's path must fit a datagram of 4096 bytes."""
NOTHING_RECORDED = "nothing is recorded; melodies come from files and notes"

_log = logging.getLogger(__name__)


def run(options: RunOptions, *, as_json: bool = False, until_stdin_ends: bool = False) -> int:
    """Run until Ctrl-C or SIGTERM.

    Args:
        as_json: log JSON lines on stdout, instead of a live status or plain lines on stderr.
        until_stdin_ends: stop when stdin is closed, too.

    Returns:
        The exit status, 0.

    Raises:
        BadArgument: the port is taken, or the clips folder cannot be written to.
        BridgeError: the model can never be loaded.
    """
    folder = (options.clips or outputs.clips_folder()).absolute()
    _check_clips_folder(folder)
    snapshot = Snapshot()
    on_terminal = not as_json and sys.stderr is not None and sys.stderr.isatty()
    screen = Screen(snapshot) if on_terminal else None
    sys.setswitchinterval(SWITCH_SECONDS)
    with (
        set_up(as_json=as_json, screen=screen, file=log_path()),
        shown(screen) if screen is not None else nullcontext(),
    ):
        return asyncio.run(_serve(options, folder, snapshot, until_stdin_ends=until_stdin_ends))


def _check_clips_folder(folder: Path) -> None:
    if folder.suffix.lower() == ".wav":
        raise BadArgument(f"clips {str(folder)!r}: name a folder, not a .wav file")
    outputs.clip_folder(folder)
    length = len(bytes(folder))
    if length > LONGEST_FOLDER_BYTES:
        raise BadArgument(
            f"clips folder of {length} bytes: a message has no room for its clips' paths; "
            f"choose one of {LONGEST_FOLDER_BYTES} bytes at most"
        )


async def _serve(
    options: RunOptions, folder: Path, snapshot: Snapshot, *, until_stdin_ends: bool
) -> int:
    history = await asyncio.to_thread(History, folder)
    daemon = Daemon(options, folder, history, snapshot)
    try:
        await daemon.start()
        _on_signals(daemon.stop_for)
        if until_stdin_ends:
            _on_end_of_stdin(daemon.stop_for)
        _log.info("stopping: %s", await daemon.stopped)
    finally:
        await daemon.close()
    return 0


def _on_signals(stop: Callable[[str], None]) -> None:
    """Stop in good order on the first Ctrl-C or SIGTERM; a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: object) -> None:
        signal.signal(number, lambda number, frame: signals.leave(number))
        loop.call_soon_threadsafe(stop, "Ctrl-C" if number == signal.SIGINT else "SIGTERM")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def _on_end_of_stdin(stop: Callable[[str], None]) -> None:
    """Stop in good order when stdin ends."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # The loop is closed: the daemon has stopped by itself.
            loop.call_soon_threadsafe(stop, "stdin has ended")

    threading.Thread(target=wait, name="stdin", daemon=True).start()


class Daemon:
    """All parts of the daemon and their connections. Make it in a running event loop.

    Attributes:
        stopped: the reason to stop, or the error that makes running on pointless.
    """

    def __init__(
        self, options: RunOptions, folder: Path, history: History, snapshot: Snapshot
    ) -> None:
        """Make the parts; `start` starts them.

        Args:
            folder: the clips folder.
            snapshot: receives every event.
        """
        self._options, self._folder, self._snapshot = options, folder, snapshot
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._ticker: asyncio.Task[None] | None = None
        self._follower: asyncio.Task[None] | None = None
        self._old_takes = OldTakes(folder, options.takes_days)
        self._hearer: asyncio.Task[None] | None = None
        self._daw_is_gone = False
        self._event_log = EventLog(folder)
        self._takes_folder = ""
        self._controls: list[Control] = [
            OscControl(
                options.osc_port,
                hello=self._hello,
                pong=lambda: Pong(self._engine.state),
                greeting=snapshot.state_events,
                on_event=self._publish,
            ),
        ]
        defaults = SessionDefaults(options)
        self._clocks = Clocks(
            lambda: defaults.settings,
            lambda change: self._publish(Remark(NO_ID, change)),
            choice=options.clock,
        )
        self._clock_readers = ClockReaders(
            self._clocks, lambda: defaults.settings, self._publish, link_in_auto=options.link
        )
        self._time = SessionTime(lambda: self._clocks.current, lambda: defaults.settings)
        self._requests = RequestRegistry(self._publish, answer=self._answer)
        # Room for each request that the session admits: a late refusal helps nobody.
        self._engine = make_engine(options, self._engine_changed, queue_size=MOST_ADMITTED)
        self._output = (
            None
            if options.output == NO_OUTPUT
            else Output(
                options,
                lambda: self._clocks.current,
                self._publish,
                count_in_until=lambda now_seconds: (
                    self._captures.count_in_until or self._clocks.count_in_until(now_seconds)
                ),
            )
        )
        metronome = None if self._output is None else self._output.metronome
        self._listener = (
            None
            if options.input == NO_INPUT
            else Listener(
                options.input,
                self._input_changed,
                channels=options.input_channels,
                output=None if self._output is None else self._output.player,
            )
        )
        self._midi_clock = MidiClock(
            partial(self._clocks.update, "midi"),
            lambda: defaults.settings.get("tempo_bpm"),
            offset_seconds=options.clock_offset_ms / 1000,
        )
        self._midi_receivers: list[Callable[[Sequence[MidiMessage]], None]] = [
            self._midi_clock.received
        ]
        self._midi = MidiPorts(
            options.midi, self._receive_midi, self._midi_changed, output=options.midi_out
        )
        if options.midi != NO_MIDI:
            midi = MidiControl(
                options.midi_map,
                bars=options.defaults.get("bars", OPTIONS["bars"].default),
                on_event=self._publish,
                send=self._midi.send,
            )
            self._controls.append(midi)
            self._played = PlayedNotes(midi.is_mapped)
            # First the notes: a command may take them.
            self._midi_receivers += [self._played.received, midi.received]
        else:
            self._played = PlayedNotes()
        hotkeys = HotkeyControl(
            options.hotkey_chords() if options.hotkeys else {},
            bars=options.defaults.get("bars", OPTIONS["bars"].default),
            answer=options.hotkey_answer,
            click=None if metronome is None else metronome.tick,
            on_event=self._publish,
        )
        self._controls.append(hotkeys)
        if options.host == "ardour":
            self._controls.append(_ardour(options, self._publish))
        self._captures = CaptureRegistry(
            self._requests,
            self._time,
            sources=CaptureSources(
                self._time,
                listener=self._listener,
                input_latency_seconds=options.input_latency_ms / 1000,
                played=self._played,
                source=lambda: defaults.source,
                count_in=CountIn(
                    self._clocks,
                    bars=lambda: defaults.count_in_bars,
                    lead_seconds=lambda: 0.0 if metronome is None else metronome.lead_seconds,
                ),
            ),
            files=MelodyFiles((*usual_roots(), *_working_folder(), folder, *options.melody_roots)),
        )
        self._session = Session(
            options,
            folder,
            publish=self._publish,
            answer=self._answer,
            requests=self._requests,
            defaults=defaults,
            clocks=self._clocks,
            session_time=self._time,
            captures=self._captures,
            engine=self._engine,
            history=history,
            playback=None if self._output is None else self._output.playback,
            metronome=metronome,
            press=hotkeys.press,
        )

    async def start(self) -> None:
        """Start the controls, the engine, the input and the MIDI ports.

        Raises:
            BadArgument: a control cannot start, as when the OSC port is taken.
        """
        for control in self._controls:
            await control.start(self._session.handle)
        self._engine.start()
        self._session.warm_up()
        if self._listener is not None:
            self._listener.start()
            meter = PitchMeter(
                self._listener, self._publish, is_wanted=lambda: bool(self._snapshot.clients)
            )
            self._hearer = keep_running("measuring the pitch", meter.run)
        else:
            self._publish(InputChanged("none", "", 0, NOTHING_RECORDED))
            if self._output is not None:
                self._output.start()
        self._start_metronome()
        self._midi.start()
        self._old_takes.start()
        if self._options.resume:
            self._session.resume()
        self._ticker = keep_running("polling", self._tick)
        self._follower = keep_running("following the clocks", self._follow_clocks)

    def _start_metronome(self) -> None:
        if self._output is not None:
            self._publish(self._output.metronome.state)
        elif self._options.metronome:
            self._publish(Remark(NO_ID, f"nobody hears the metronome: {NO_OUTPUT_CHOSEN}"))

    def stop_for(self, reason: str) -> None:
        """Complete `stopped`."""
        if not self.stopped.done():
            self.stopped.set_result(reason)

    async def close(self) -> None:
        """Cancel every request and publish its end; stop the children and close the controls."""
        steps: dict[str, Callable[[], Awaitable[None]]] = {"stopping requests": self._session.stop}
        for task in (self._ticker, self._follower, self._hearer):
            if task is not None:
                task.cancel()
        if self._listener is not None:
            steps["stopping the input"] = self._listener.stop
        if self._output is not None:
            steps["stopping the output"] = self._output.stop
        steps["keeping the takes"] = self._old_takes.stop
        steps["leaving the clocks"] = self._clock_readers.stop
        steps["stopping the engine"] = self._engine.stop
        for control in self._controls:
            steps[f"closing {type(control).__name__}"] = control.close
        # After its control, which switches the lights off.
        steps["stopping MIDI"] = self._midi.stop
        # Each one, whatever the others raise: a child must not outlive the daemon.
        await all_of(steps)
        _log.info("stopped", extra=log_fields(event="stopped"))

    def _hello(self, client: str) -> Hello:
        return Hello(
            __version__,
            PROTOCOL,
            self._engine.state,
            self._options.model,
            client,
            self._takes_path(),
        )

    def _takes_path(self) -> str:
        """The folder that clients write their recordings to; empty when it cannot be made."""
        # Not made at the start: a daemon that cannot run leaves no folder.
        if not self._takes_folder:
            try:
                self._takes_folder = takes_folder(self._folder).as_posix()
            except BadArgument as error:
                _log.warning("%s", error)
        return self._takes_folder

    def _publish(self, event: Event) -> None:
        """Apply an event to the snapshot, publish it to every control, and log it."""
        is_new_clip = isinstance(event, ClipReady) and self._requests.kind(event.id) == GENERATE
        self._snapshot.apply(event)
        self._session.observe(event)
        for control in self._controls:
            control.publish(event)
        self._event_log.write(event, is_new_clip=is_new_clip)

    def _answer(self, event: Event) -> None:
        """Answer the client whose command is being carried out; others have had this event."""
        for control in self._controls:
            control.answer(event)

    def _engine_changed(self, state: EngineState, detail: str) -> None:
        self._publish(EngineChanged(state, detail))
        failure = self._engine.failure
        # A model that cannot be found is a mistake on the command line, and no later request cures
        # it. After any other failure the next request starts the engine again.
        if failure is None or failure.exit_status != MISTAKE or self._engine.facts is not None:
            return
        if not self.stopped.done():
            self.stopped.set_exception(failure)

    def _input_changed(self, change: InputChanged) -> None:
        if change.state != "ready":
            self._captures.input_lost(time.perf_counter())
        detail = self._listener.detail if self._listener is not None else ""
        self._publish(replace(change, detail=detail))

    def _receive_midi(self, messages: Sequence[MidiMessage]) -> None:
        """Give MIDI messages to every receiver, whatever another one raises."""
        for receiver in self._midi_receivers:
            try:
                receiver(messages)
            except Exception:
                _log.exception("MIDI messages were not understood")

    def _midi_changed(self, change: MidiPortsChanged) -> None:
        self._played.ports_changed(change.inputs, time.perf_counter())
        self._publish(change)

    async def _tick(self) -> None:
        """Poll captures, and publish level, clock and queue; until cancelled."""
        next_level = time.perf_counter()
        while True:
            now = time.perf_counter()
            self._captures.poll(now)
            if now >= next_level:
                if self._output is not None:
                    self._output.poll(now)
                self._session.poll_loops()
                self._publish_level()
                self._publish_clock(now)
                self._publish_queue()
                self._publish_network()
            if now >= next_level:
                next_level = max(now, next_level + LEVEL_SECONDS)
            interval = RECORDING_SECONDS if self._captures.recording else LEVEL_SECONDS
            await asyncio.sleep(min(interval, max(0.0, next_level - time.perf_counter())))

    async def _follow_clocks(self) -> None:
        """Read the sources of time that are chosen; until cancelled."""
        while True:
            await self._clock_readers.poll()
            await asyncio.sleep(LEVEL_SECONDS)

    def _publish_level(self) -> None:
        listener = self._listener
        if listener is None:
            return
        if listener.state == "ready" and listener.ring is not None:
            self._publish(Level(*level(listener.ring)))
        if listener.overflows > self._snapshot.overflows:
            self._publish(InputOverflowed(listener.overflows))

    def _publish_clock(self, now_seconds: float) -> None:
        """Publish changes of clock and beat, and log once that a playing DAW has gone quiet."""
        self._midi_clock.poll(now_seconds)
        self._clocks.poll(now_seconds)
        clock = self._clocks.current
        is_gone = clock.is_gone(now_seconds)
        if is_gone and not self._daw_is_gone:
            _log.warning("the DAW sends no more of its time: it counts as stopped")
        self._daw_is_gone = is_gone
        if clock.tempo_bpm is None and self._snapshot.clock is None:
            return
        clock_changed = self._clocks.state(now_seconds)
        if clock_changed != self._snapshot.clock:
            self._publish(clock_changed)
        beat = clock.beat_at(now_seconds)
        if beat is not None and math.floor(beat) != self._snapshot.beat:
            self._publish(BeatReached(math.floor(beat)))

    def _publish_queue(self) -> None:
        if self._engine.waiting != self._snapshot.waiting:
            self._publish(QueueChanged(self._engine.waiting))

    def _publish_network(self) -> None:
        figures = self._engine.network
        network = NetworkChanged() if figures is None else figures.as_event()
        if network != self._snapshot.network:
            self._publish(network)


def _ardour(options: RunOptions, publish: Callable[[Event], None]) -> Control:
    """The control that gives Ardour the clips."""
    from bridge.hosts.ardour.companion import Companion
    from bridge.hosts.ardour.control import ArdourControl

    make = partial(
        Companion,
        ardour_port=options.ardour_port,
        place=options.ardour_place,
        launches=options.ardour_launch,
    )
    return ArdourControl(lambda report: make(report=report), publish)


def _working_folder() -> tuple[Path, ...]:
    """The folder that the daemon was started in, unless that is the root of the file system."""
    folder = Path.cwd()
    return () if folder == Path(folder.anchor) else (folder,)
