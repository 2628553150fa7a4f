"""`melody-bridge run`: the daemon beside the DAW. It wires the stages, and owns the event loop.

The model runs in one child process and the audio input in another; this one hears commands, writes
clips, and tells every client what becomes of what it asked for.
"""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from bridge import __version__
from bridge.clock.beat_clock import BeatClock
from bridge.commands import (
    PROTOCOL,
    CaptureChanged,
    ClipReady,
    Done,
    EngineChanged,
    EngineState,
    Event,
    Failed,
    Hello,
    InputChanged,
    Level,
    Pong,
)
from bridge.config import NO_INPUT, RunOptions
from bridge.control.addresses import event_message
from bridge.control.osc import OscEndpoint
from bridge.daemon.captures import CaptureRegistry
from bridge.daemon.logs import log_fields, set_up
from bridge.daemon.requests import RequestRegistry
from bridge.daemon.session import GENERATE, Session
from bridge.delivery import History, takes_folder
from bridge.engine.process.supervisor import Supervisor
from bridge.errors import BadArgument
from bridge.melody import usual_roots
from bridge.process import signals
from bridge.rendering import outputs
from bridge.screens.status import Screen, Status, shown
from bridge.soundcard.level import level
from bridge.soundcard.listener import Listener

LEVEL_SECONDS = 0.1
"""How often clients hear the level (OSC.md)."""
LOSSES_SECONDS = 1.0
"""How often the log is told of what was lost."""
RECORDING_SECONDS = 0.02
"""How often a capture is looked at: what a finished one adds to the wait."""
MISTAKE = 2
"""The exit status of a mistake in what was asked."""
LONGEST_FOLDER_BYTES = 2000
"""Of the clips folder: a clip's path has to fit a datagram of 4096 bytes."""

_log = logging.getLogger(__name__)


def run(options: RunOptions, *, as_json: bool = False) -> int:
    """Run until Ctrl-C or SIGTERM.

    Args:
        as_json: log JSON lines on stdout, instead of a live status or plain lines on stderr.

    Returns:
        The exit status, 0.

    Raises:
        BadArgument: the port is taken, or the clips folder cannot be written to.
        BridgeError: why the model can never be loaded.
    """
    folder = (options.clips or outputs.clips_folder()).absolute()
    _check(folder)
    status = Status()
    on_terminal = not as_json and sys.stderr is not None and sys.stderr.isatty()
    screen = Screen(status) if on_terminal else None
    with (
        set_up(as_json=as_json, screen=screen),
        shown(screen) if screen is not None else nullcontext(),
    ):
        return asyncio.run(_serve(options, folder, status))


def _check(folder: Path) -> None:
    if folder.suffix.lower() == ".wav":
        raise BadArgument(f"clips {str(folder)!r}: name a folder, not a .wav file")
    outputs.clip_folder(folder)
    length = len(bytes(folder))
    if length > LONGEST_FOLDER_BYTES:
        raise BadArgument(
            f"clips folder of {length} bytes: a message has no room for its clips' paths; "
            f"choose one of {LONGEST_FOLDER_BYTES} bytes at most"
        )


async def _serve(options: RunOptions, folder: Path, status: Status) -> int:
    history = await asyncio.to_thread(History, folder)
    daemon = Daemon(options, folder, history, status)
    try:
        await daemon.start()
        _on_signals(daemon.stop_for)
        _log.info("stopping: %s", await daemon.stopped)
    finally:
        await daemon.close()
    return 0


def _on_signals(stop: Callable[[str], None]) -> None:
    """The first Ctrl-C or SIGTERM stops in good order; one more ends the process at once."""
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: object) -> None:
        signal.signal(number, lambda number, frame: signals.leave(number))
        loop.call_soon_threadsafe(stop, "Ctrl-C" if number == signal.SIGINT else "SIGTERM")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


class Daemon:
    """Its parts, and what they tell each other. Make it in a running event loop.

    Attributes:
        stopped: why it is to stop, once it is; an error that leaves no use in going on is raised.
    """

    def __init__(self, options: RunOptions, folder: Path, history: History, status: Status) -> None:
        """Nothing runs before `start`.

        Args:
            folder: the clips folder.
            status: kept up to date.
        """
        self._options, self._folder, self._status = options, folder, status
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._endpoint: OscEndpoint | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._input = InputChanged("none", "", 0)
        self._daw_gone = False
        self._takes = ""
        self._dropped = 0
        self._clock = BeatClock()
        self._requests = RequestRegistry(self._publish)
        self._engine = Supervisor(options.model, options.device, self._engine_changed)
        self._listener = (
            None if options.input == NO_INPUT else Listener(options.input, self._input_changed)
        )
        self._captures = CaptureRegistry(
            self._requests,
            self._clock,
            lambda: self._session.session_time(),
            listener=self._listener,
            melody_roots=(*usual_roots(), *_working_folder(), folder, *options.melody_roots),
            input_latency_seconds=options.input_latency_ms / 1000,
        )
        self._session = Session(
            options,
            folder,
            publish=self._publish,
            requests=self._requests,
            clock=self._clock,
            captures=self._captures,
            engine=self._engine,
            history=history,
        )

    async def start(self) -> None:
        """Begin to listen and to hear, and to load the model.

        Raises:
            BadArgument: the port is taken.
        """
        self._endpoint = await OscEndpoint.open(
            self._options.osc_port,
            on_command=self._session.handle,
            hello=self._hello,
            pong=lambda: Pong(self._engine.state),
        )
        port = self._status.port = self._endpoint.port
        _log.info(
            "melody-bridge %s listens on 127.0.0.1:%d; clips go to %s",
            *(__version__, port, self._folder),
            extra=log_fields(event="listening", port=port, clips=str(self._folder)),
        )
        self._engine.start()
        self._session.warm_up()
        if self._listener is not None:
            self._listener.start()
        else:
            self._input_changed(self._input)
        self._ticking = asyncio.create_task(self._tick())

    def stop_for(self, why: str) -> None:
        """Let `stopped` be done."""
        if not self.stopped.done():
            self.stopped.set_result(why)

    async def close(self) -> None:
        """Give up what is under way, telling clients; end the children, and free the port."""
        await self._session.stop()
        if self._ticking is not None:
            self._ticking.cancel()
        if self._listener is not None:
            await self._listener.stop()
        await self._engine.stop()
        if self._endpoint is not None:
            await self._endpoint.close()
        _log.info("stopped", extra=log_fields(event="stopped"))

    def _hello(self, client: str) -> Hello:
        # Who comes in the middle has missed what was told of these.
        asyncio.get_running_loop().call_soon(self._greet)
        return Hello(
            __version__,
            PROTOCOL,
            self._engine.state,
            self._options.model,
            client,
            self._takes_path(),
        )

    def _takes_path(self) -> str:
        """Where clients write what they record; empty when there can be no such folder."""
        # Not at the start: a daemon that cannot run leaves nothing behind.
        if not self._takes:
            try:
                self._takes = takes_folder(self._folder).as_posix()
            except BadArgument as error:
                _log.warning("%s", error)
        return self._takes

    def _greet(self) -> None:
        if self._endpoint is not None:
            self._endpoint.send(EngineChanged(self._engine.state, self._engine.detail))
            self._endpoint.send(self._input)

    def _input_detail(self) -> str:
        if self._listener is None:
            return "nothing is heard, as was asked for; files and notes are melodies too"
        return self._listener.detail

    def _publish(self, event: Event) -> None:
        if self._endpoint is not None:
            self._endpoint.send(event)
        match event:
            case ClipReady():
                if self._requests.kind(event.id) != GENERATE:
                    return  # One of a list: it has been there before.
                if event not in self._status.clips:
                    self._status.clips.appendleft(event)
                sentence = f"{event.id}: clip {event.index + 1} of {event.count}: {event.path}"
            case Done():
                sentence = f"{event.id}: done"
            case Failed():
                sentence = f"{event.id}: {event.code}: {event.message}"
            case CaptureChanged(state="done"):
                sentence = f"{event.id}: captured {event.seconds:.2f} s"
            case EngineChanged():
                sentence = f"engine {event.state}: {event.detail}"
            case InputChanged():
                sentence = f"input {event.state}: {self._input_detail()}"
            case _:
                return
        _log.info("%s", sentence, extra=log_fields(event=_name(event), **vars(event)))

    def _engine_changed(self, state: EngineState, detail: str) -> None:
        self._status.engine, self._status.engine_detail = state, detail
        self._publish(EngineChanged(state, detail))
        failure = self._engine.failure
        # A model that was never there is a mistake on the command line: a later request cannot
        # cure it. Whatever else goes wrong is tried again with the next request.
        if failure is None or failure.exit_status != MISTAKE or self._engine.facts is not None:
            return
        if not self.stopped.done():
            self.stopped.set_exception(failure)

    def _input_changed(self, change: InputChanged) -> None:
        self._input = change
        if change.state != "ready":
            self._captures.input_lost(time.perf_counter())
        self._publish(change)

    async def _tick(self) -> None:
        """See how far captures are, and tell the level; until cancelled."""
        next_level = next_look = time.perf_counter()
        while True:
            now = time.perf_counter()
            try:
                self._captures.poll(now)
                if now >= next_level:
                    self._publish_level()
                    self._show(now)
                if now >= next_look:
                    self._log_losses()
            except Exception:
                # Captures would stand still for ever, and nobody would hear why.
                _log.exception("a look at the captures failed")
            if now >= next_level:
                next_level = max(now, next_level + LEVEL_SECONDS)
            if now >= next_look:
                next_look = now + LOSSES_SECONDS
            soon = RECORDING_SECONDS if self._captures.recording else LEVEL_SECONDS
            await asyncio.sleep(min(soon, max(0.0, next_level - time.perf_counter())))

    def _publish_level(self) -> None:
        listener = self._listener
        if listener is None or listener.state != "ready" or listener.ring is None:
            return
        peak_db, rms_db = level(listener.ring)
        self._status.peak_db, self._status.rms_db = peak_db, rms_db
        self._publish(Level(peak_db, rms_db))

    def _log_losses(self) -> None:
        """Say what was lost since it was last said: sound at the input, and messages."""
        overflows = self._listener.overflows if self._listener is not None else 0
        if overflows > self._status.overflows:
            _log.warning(
                "the input has lost sound %d times: other programs keep the machine busy",
                overflows,
                extra=log_fields(event="overflow", overflows=overflows),
            )
        self._status.overflows = overflows
        dropped = (self._endpoint.stats.dropped if self._endpoint is not None else None) or 0
        if dropped > self._dropped:
            _log.warning(
                "%d messages came faster than they could be read, and were dropped: send fewer",
                dropped - self._dropped,
                extra=log_fields(event="dropped", dropped=dropped),
            )
        self._dropped = dropped

    def _log_silent_daw(self, now_seconds: float) -> None:
        """Say once that a DAW that played tells nothing more."""
        gone = self._clock.is_gone(now_seconds)
        if gone and not self._daw_gone:
            _log.warning("the DAW tells its time no more: counted as stopped")
        self._daw_gone = gone

    def _show(self, now_seconds: float) -> None:
        """Bring the status up to date."""
        status = self._status
        status.waiting = self._engine.waiting
        status.transport = _transport(self._clock, now_seconds)
        self._log_silent_daw(now_seconds)
        status.requests = [(id, self._requests.progress(id)) for id in self._requests.open_ids()]
        if self._endpoint is not None:
            status.clients = [
                f"{one.client or 'unnamed'} ({one.port})" for one in self._endpoint.subscribers
            ]
        status.input_detail = self._input_detail()
        listener = self._listener
        if listener is not None:
            status.input = listener.state


def _working_folder() -> tuple[Path, ...]:
    """Where the daemon was started, unless that is the root of everything."""
    folder = Path.cwd()
    return () if folder == Path(folder.anchor) else (folder,)


def _name(event: Event) -> str:
    """An event's name in the JSON log: its address without `/bridge/`."""
    return event_message(event)[0].removeprefix("/bridge/")


def _transport(clock: BeatClock, now_seconds: float) -> str:
    if clock.tempo_bpm is None or clock.meter is None:
        return "not heard yet"
    moving, beat = "stopped", clock.beat_at(now_seconds)
    if clock.is_playing(now_seconds) and beat is not None:
        moving = f"playing, beat {math.floor(beat)}"
    return f"{float(clock.tempo_bpm):g} bpm, {clock.meter}, {moving}"
