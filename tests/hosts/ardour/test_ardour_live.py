"""Ardour, from end to end: its own program on JACK's dummy server and on an X server of its own.

What sounds is recorded at Ardour's Master with the frames of JACK's transport, which Ardour leads.
A test repeats a performance in which the server missed a period.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.commands import ClockSource
from bridge.hosts.ardour.companion import SLOTS, TRACK
from bridge.hosts.ardour.inbox import inbox_path
from bridge.timing import FALLBACK_METER, Meter
from tests.hosts.ardour.studio import (
    CLOCK,
    GOOD_CORRELATION,
    LATENCY_FRAMES,
    Studio,
    reached,
)
from tests.peers.ardour import (
    HUM_ACTION,
    HUM_BARS,
    MASTER,
    SELECTION_ACTION,
    Ardour,
)
from tests.peers.ardour_home import Passage
from tests.peers.daemon import Client, DaemonProcess, running
from tests.peers.jack import (
    LONG_PERIOD,
    SAMPLE_RATE,
    JackServer,
    excusing_xruns,
    recording,
)
from tests.peers.takes import click_starts
from tests.peers.timeline import Timeline, clicks
from tests.processes import KILL

TEMPO_BPM, FAST_BPM = 96.0, 140.0
SLOW, RAMP, FAST, SEVEN = range(4)
"""The sections of the session."""
PASSAGES = (
    Passage(32, TEMPO_BPM),
    Passage(1, TEMPO_BPM, end_bpm=FAST_BPM),
    Passage(64, FAST_BPM),
    Passage(0, FAST_BPM, Meter(7, 8)),
)
MOST_FRAMES_OFF = SAMPLE_RATE // 1000
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def jack_period() -> int:
    """A period that a busy machine seldom misses."""
    return LONG_PERIOD


@pytest.fixture(scope="module")
def daemon(
    module_jack_server: JackServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DaemonProcess]:
    """A daemon with `pocket` that gives Ardour its clips, and has them launched."""
    folder = tmp_path_factory.mktemp("daemon")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        arguments = ("--host", "ardour", "--ardour-launch", "--clock", "osc")
        daemon = DaemonProcess(folder / "Clips", *arguments, input="system")
        try:
            yield daemon
        finally:
            # A test may have killed it.
            daemon.stop(KILL)


@pytest.fixture(scope="module")
def studio(
    module_jack_server: JackServer,
    start_ardour: Callable[..., Ardour],
    daemon: DaemonProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Studio]:
    """A studio; the first slot of the guide has clicks."""
    # While the model is loaded.
    ardour = start_ardour(passages=PASSAGES, daemon_port=daemon.port, inbox=inbox_path())
    daemon.logged("input", state="ready")
    daemon.ready()
    with (
        Client(daemon.port, "studio") as client,
        closing(Studio(module_jack_server, daemon, ardour, client)) as studio,
    ):
        clicks = write_clicks(tmp_path_factory.mktemp("guide"))
        assert studio.order("slot", clicks) == ""
        # So the guide is not the last track.
        assert studio.order("slot", clicks, track="Other") == ""
        studio.select_guide()
        yield studio


def write_clicks(folder: Path) -> Path:
    """Four bars of clicks, in a file that Ardour reads right."""
    path = folder / f"the clicks {FAST_BPM:g}bpm.wav"
    played = clicks(Timeline(0.0, (0, FAST_BPM)), 4, FALLBACK_METER, SAMPLE_RATE)
    frames = round(4 * 4 * 60 / FAST_BPM * SAMPLE_RATE)
    soundfile.write(path, played[:frames], SAMPLE_RATE, subtype="FLOAT")
    return path


def test_ardours_transport_is_followed_and_its_clicks_are_cut_on_the_bar_line(
    studio: Studio,
) -> None:
    client = studio.client
    # The bars of a cut, and the most seconds that it may be off.
    sources: dict[ClockSource, tuple[int, float]] = {"osc": (2, 0.01), "jack": (4, 0.001)}

    def attempt() -> None:
        ids: list[str] = []
        studio.make_room()
        bar = studio.play_guide(0, FAST)
        try:
            for source, (bars, _) in sources.items():
                if source != "osc":
                    client.send(CLOCK, source)
                    studio.wait_for_clock(is_playing=True, source=source)
                    # Each source has its own bar lines.
                    bar = studio.next_bar()
                studio.wait_for_bar(bar + bars + 0.1)
                id = f"cut-{time.monotonic_ns()}"
                client.send("/bridge/capture/last", id, bars)
                client.done(id)
                ids.append(id)
            # Only now: Ardour plays the clip that this makes.
            takes = [studio.take(id) for id in ids]
        finally:
            client.send(CLOCK, "osc")
            studio.halt()
        beat_frames = studio.section.bar_frames / 4
        for (source, (bars, most_seconds_off)), samples in zip(sources.items(), takes, strict=True):
            assert len(samples) == round(bars * studio.section.bar_frames)
            # The daemon takes what a cycle brings for the sound of the period before, as of a
            # sound card.
            starts = click_starts(samples) + LATENCY_FRAMES + LONG_PERIOD
            off = starts - np.round(starts / beat_frames) * beat_frames
            most_off_ms = np.abs(off).max(initial=0) / SAMPLE_RATE * 1000
            print(f"{source}: clicks {most_off_ms:.3f} ms off the bar line")
            assert len(starts) == 4 * bars
            assert most_off_ms < most_seconds_off * 1000

    excusing_xruns(studio.server, attempt)


def test_a_hum_in_ardour_becomes_a_loop_that_it_plays_on_the_bar_line(
    studio: Studio, melodies: Path, tmp_path: Path
) -> None:
    client = studio.client
    # Ardour reads its tempo in its name, and plays it at the session's.
    assert studio.order("slot", melodies / "twinkle-hum-100bpm.wav") == ""

    def attempt() -> Path:
        mark = len(client.events)
        studio.make_room()
        bar = studio.play_guide(1, FAST)
        try:
            studio.wait_for_bar(bar + HUM_BARS + 0.1)
            studio.ardour.act(HUM_ACTION)
            # It ends at the next bar line, on which the clip begins at the earliest.
            studio.ardour.send("/trigger_stop", 0, 1)
            with recording(tmp_path, MASTER) as performance:
                path = studio.clip_of_script(mark)
                assert studio.reported(path).startswith("launched in slot")
                studio.picture()
                correlation, off = studio.heard(performance, path, bars=HUM_BARS)
        finally:
            studio.halt()
        print(f"hum to clip: correlation {correlation:.5f}, {off:.1f} frames off the bar line")
        assert correlation > GOOD_CORRELATION
        assert off < MOST_FRAMES_OFF
        return path

    clip = excusing_xruns(studio.server, attempt)
    assert f"{HUM_BARS}bars" in clip.stem and f"{FAST_BPM:g}bpm" in clip.stem


@pytest.mark.parametrize(
    ("section", "bars"), [(FAST, 3), (SEVEN, 1)], ids=["three-bars", "seven-eight"]
)
def test_a_clip_replaces_the_one_that_plays_and_keeps_its_length(
    studio: Studio, tmp_path: Path, section: int, bars: int
) -> None:
    def attempt() -> None:
        studio.make_room()
        studio.play(section)
        try:
            first = studio.clip("melody", "none", "bars", 1)
            assert studio.reported(first).startswith("launched in slot")
            with recording(tmp_path, MASTER) as performance:
                clip = studio.clip("melody", "none", "bars", bars)
                assert studio.reported(clip).startswith("launched in slot")
                # Ardour has it some times in one file: a round and a bar of the next are one sound.
                correlation, off = studio.heard(performance, clip, bars=bars + 1)
        finally:
            studio.halt()
        print(f"{bars} bars and one: correlation {correlation:.5f}, {off:.1f} frames off")
        assert correlation > GOOD_CORRELATION
        assert off < MOST_FRAMES_OFF

    excusing_xruns(studio.server, attempt)


def test_the_tempo_may_change_while_a_clip_is_rendered(studio: Studio, tmp_path: Path) -> None:
    def attempt() -> None:
        studio.make_room()
        studio.play(SLOW, bar=PASSAGES[SLOW].bars - 0.5)
        try:
            reached("the tempo changes", lambda: TEMPO_BPM < studio.clock().tempo_bpm < FAST_BPM)
            clip = studio.clip("melody", "none", "bars", 1)
            studio.section = studio.ardour.sections[FAST]
            studio.wait_for_clock(is_playing=True)
            with recording(tmp_path, MASTER) as performance:
                assert studio.reported(clip).startswith("launched in slot")
                studio.wait_for_bar(studio.next_bar() + 3.1)
                repeated = studio.repeated(performance)
        finally:
            studio.halt()
        print(f"a clip of a tempo between: its bars are the session's, correlation {repeated:.5f}")
        assert repeated > 0.9

    excusing_xruns(studio.server, attempt)


def test_regions_are_put_on_the_timeline_followed_and_removed(
    studio: Studio, melodies: Path
) -> None:
    hum = melodies / "frere-hum-112bpm.wav"
    assert studio.order("region", hum, track="Timeline") == ""
    studio.ardour.lua(
        """
        local regions = ArdourUI.SelectionList ()
        local track = Session:route_by_name ("Timeline"):to_track ()
        for region in track:playlist ():region_list ():iter () do
            regions:push_back (Editor:regionview_from_region (region))
        end
        Editor:set_selection (regions, ArdourUI.SelectionOp.Set)
        """
    )
    mark = len(studio.client.events)
    studio.ardour.act(SELECTION_ACTION)
    path = studio.clip_of_script(mark)
    assert hum.stem in path.stem and "4bars" in path.stem
    assert studio.reported(path).startswith("launched in slot")
    studio.halt()
    assert studio.order("remove", hum.stem, track="Timeline") == ""
    assert "no region" in studio.order("remove", hum.stem, track="Timeline")


def test_slots_that_have_a_clip_are_kept_and_the_remedy_for_full_ones_is_named(
    studio: Studio, tmp_path: Path
) -> None:
    clicks = write_clicks(tmp_path)
    studio.make_room(len(SLOTS))
    # At rest Ardour reports its slots every two seconds, while it plays ten times a second.
    studio.play()
    try:
        for _ in SLOTS:
            assert studio.order("slot", clicks, track=TRACK) == ""
        assert "slots A to H only" in studio.reported(studio.clip("melody", "none", "bars", 1))
    finally:
        studio.halt()


def test_ardour_may_be_killed_and_started_again(studio: Studio) -> None:
    studio.ardour.kill()
    studio.ardour.start()
    studio.section = studio.ardour.sections[SLOW]
    studio.connect()
    assert studio.reported(studio.clip("melody", "none", "bars", 1)).startswith("launched in slot")
    studio.halt()


def test_the_daemon_may_be_killed_and_started_again(studio: Studio, tmp_path: Path) -> None:
    studio.daemon.process.kill()
    port = studio.daemon.port
    arguments = ("--host", "ardour", "--clock", "osc", "--osc-port", str(port))
    with running(tmp_path / "Clips", *arguments) as daemon, Client(port, "again") as client:
        studio.daemon, studio.client = daemon, client
        daemon.ready()
        studio.wait_for_clock(is_playing=False)
        assert studio.reported(studio.clip("melody", "none", "bars", 1)).startswith(
            "placed in slot"
        )
