"""The snapshot: a fold over the events, and the events for a late client."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.commands import ClipSettings
from bridge.daemon.snapshot import MOST_CLIPS, MOST_NOTICES, OpenRequest, Snapshot
from bridge.events import (
    NO_PITCH,
    BeatReached,
    CaptureChanged,
    ClipMarked,
    ClipReady,
    ClockChanged,
    DefaultsChanged,
    Done,
    EngineChanged,
    Event,
    Failed,
    InputChanged,
    LayerChanged,
    LayerState,
    Level,
    LoopChanged,
    MidiPortsChanged,
    OutputChanged,
    OutputUnderflowed,
    Pitch,
    Pong,
    Progress,
    Remark,
    RequestBegun,
)

CLOCK = ClockChanged("osc", 120.0, 4, 4, True)


def after(*events: Event) -> Snapshot:
    snapshot = Snapshot()
    for event in events:
        snapshot.apply(event)
    return snapshot


def clip(id: str, number: int) -> ClipReady:
    return ClipReady(id, number, 1, f"/clips/{number}.wav", 4, 120.0, 7, 0.9, 4, 4, 44_100, "clip")


def layer(number: int, state: LayerState, name: str) -> LayerChanged:
    return LayerChanged(number, state, name, "", 0.0, False)


def test_the_newest_event_of_each_kind_is_the_state() -> None:
    snapshot = after(
        EngineChanged("loading", "pocket"),
        EngineChanged("ready", "pocket on cpu"),
        InputChanged("ready", "microphone", 48_000),
        Level(-6.0, -20.0),
        MidiPortsChanged(("Keys",), ()),
        MidiPortsChanged((), (), "no keys"),
        CLOCK,
        BeatReached(4),
        BeatReached(5),
    )
    assert snapshot.engine == EngineChanged("ready", "pocket on cpu")
    assert snapshot.level == Level(-6.0, -20.0)
    assert snapshot.midi == MidiPortsChanged((), (), "no keys")
    assert (snapshot.clock, snapshot.beat) == (CLOCK, 5)


def test_a_pitch_is_shown_until_its_voice_ends() -> None:
    assert after(Pitch(69, 5.0, 0.9)).pitch == Pitch(69, 5.0, 0.9)
    assert after(Pitch(69, 5.0, 0.9), NO_PITCH).pitch is None


def test_the_output_and_what_its_layers_play_are_the_state() -> None:
    output, one = OutputChanged("ready", "speaker", 48_000), layer(1, "playing", "keys")
    snapshot = after(
        output, layer(1, "off", ""), layer(2, "playing", "drums"), OutputUnderflowed(2), one
    )
    assert (snapshot.output, snapshot.underflows) == (output, 2)
    assert snapshot.layers == {1: one, 2: layer(2, "playing", "drums")}
    assert Snapshot().output is None


@pytest.mark.parametrize("end", [Done("me-1", 1), Failed("me-1", "cancelled", "by its client")])
def test_a_request_is_open_from_its_beginning_to_its_end(end: Done | Failed) -> None:
    progress = Progress("me-1", 0.5, 2.0)
    snapshot = after(RequestBegun("me-1", "generate"), RequestBegun("me-2", "capture"), progress)
    assert list(snapshot.requests) == ["me-1", "me-2"]
    assert snapshot.requests["me-1"].fraction == 0.5
    snapshot.apply(CaptureChanged("me-2", "recording", 1.0, -6.0))
    assert snapshot.requests["me-2"].fraction is None
    snapshot.apply(end)
    assert list(snapshot.requests) == ["me-2"]


def test_progress_of_an_unknown_request_changes_nothing() -> None:
    assert after(Progress("me-1", 0.5, 2.0), Pong("ready")) == Snapshot()


def test_only_new_clips_are_kept_the_newest_first_and_up_to_a_limit() -> None:
    snapshot = after(RequestBegun("me-1", "generate"), RequestBegun("me-2", "list of clips"))
    for number in range(MOST_CLIPS + 2):
        snapshot.apply(clip("me-1", number))
        snapshot.apply(clip("me-1", number))
        snapshot.apply(clip("me-2", 1000 + number))
    assert [clip.path for clip in snapshot.clips] == [
        f"/clips/{number}.wav" for number in range(MOST_CLIPS + 1, 1, -1)
    ]


def test_a_clips_mark_is_the_newest_whatever_list_of_clips_it_was_marked_by() -> None:
    first, second = clip("me-1", 1), clip("me-1", 2)
    snapshot = after(RequestBegun("me-1", "generate"), first, second, Done("me-1", 2))
    snapshot.apply(ClipMarked("list-1", 7, "kept", first.path))
    snapshot.apply(ClipMarked("me-1", 2, "discarded", second.path))
    assert [each.mark for each in snapshot.clips] == ["discarded", "kept"]
    restored = replace(second, path="/clips/2 2.wav")
    snapshot.apply(restored)
    snapshot.apply(ClipMarked("me-1", 1, "none", first.path))
    assert snapshot.clips == (restored, first)


def test_a_screen_can_go_on_drawing_the_old_requests() -> None:
    snapshot = after(RequestBegun("me-1", "generate"))
    held = snapshot.requests
    snapshot.apply(RequestBegun("me-2", "generate"))
    snapshot.apply(Done("me-1", 0))
    assert held == {"me-1": OpenRequest("me-1", "generate")}


def test_a_late_client_gets_the_state_of_engine_input_and_clock() -> None:
    ready = EngineChanged("ready", "pocket on cpu")
    assert list(after(ready).state_events()) == [ready, InputChanged("none", "", 0)]
    assert list(after(ready, CLOCK).state_events())[-1] == CLOCK


def test_a_late_client_gets_output_layers_settings_and_open_requests() -> None:
    events: list[Event] = [
        OutputChanged("ready", "speaker", 48_000),
        layer(2, "playing", "drums"),
        DefaultsChanged(ClipSettings(bars=8)),
        RequestBegun("me-1", "generate"),
        Progress("me-1", 0.5, 2.0),
        RequestBegun("me-2", "capture"),
    ]
    snapshot = after(*events)
    late = after(*snapshot.state_events())
    assert late == snapshot


def test_the_newest_remarks_and_errors_are_kept() -> None:
    events = [Remark("me-1", f"remark {number}") for number in range(MOST_NOTICES)]
    failed = Failed("-", "no-input", "none")
    assert after(*events, failed).notices == (*events[1:], failed)


def test_a_listed_clip_comes_behind_the_new_ones_and_once() -> None:
    snapshot = after(RequestBegun("me-1", "generate"), clip("me-1", 1))
    for number in (1, 2, 2):
        snapshot.add_earlier(clip("me-9", number))
    assert [each.path for each in snapshot.clips] == ["/clips/1.wav", "/clips/2.wav"]


def test_a_late_client_gets_the_loops_that_sound_or_are_to_come() -> None:
    sounding = LoopChanged("set-1", "playing", "none", 1, 0, "keys")
    over = LoopChanged("set-2", "off", "none", 2, 0, "")
    snapshot = after(LoopChanged("set-2", "off", "armed", 2, 0, ""), sounding, over)
    assert snapshot.loops == {"set-1": sounding}
    assert list(snapshot.state_events())[-1] == sounding
