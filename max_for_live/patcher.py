"""The device's patcher: the controls of the table, the script, and the cords between them.

All decisions are the script's. The patcher only connects: each control sends its value to the
script under its own name, and the script's messages to the display begin with a word that `route`
sorts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from max_for_live.banks import BANKS
from max_for_live.constants import (
    BUFFER_CHANNELS,
    DAEMON_PORT,
    FIRST_PORT,
    OUTLETS,
    PROMPT_INLET,
    SCRIPT_INLETS,
)
from max_for_live.controls import CONTROLS, MEMORIES
from max_for_live.maxpat import Cord, Object, maxpat
from max_for_live.script import SCRIPT
from max_for_live.widgets import Control


def build_patcher() -> dict[str, Any]:
    """The whole device as Max reads it: `{"patcher": …}`."""
    route_words = [control.route_word for control in CONTROLS if control.route_word]
    route_words += [f"keep_{name}" for name, _ in MEMORIES] + ["listen_on"]
    return maxpat(CONTROLS, _objects(route_words), _cords(route_words), BANKS)


def _objects(route_words: Sequence[str]) -> list[Object]:
    """The boxes between the controls and the script, in the order of the patcher."""
    senders = [
        Object(f"send_{control.id}", f"prepend {_message(control)}")
        for control in CONTROLS
        if control.parameter and control.sends_value
    ]
    keeps = [
        one
        for name, parameter in MEMORIES
        for one in (
            Object(
                name,
                f"pattr {name} @thru 0",
                outlets=("", "", ""),
                parameter=parameter,
            ),
            Object(f"send_{name}", f"prepend remember {name}"),
        )
    ]
    return [
        *senders,
        Object("prompt_changed", "t b", outlets=("bang",)),
        Object("send_preset_menu", "prepend choose preset"),
        Object("send_target_menu", "prepend choose target"),
        *keeps,
        Object("this_device", "live.thisdevice", outlets=("bang", "int", "int")),
        # Right to left: first the values, then the texts of the set; then the script starts.
        Object("begin", "t b b b", outlets=("bang", "bang", "bang")),
        Object("send_all", "outputvalue", inlets=2, maxclass="message"),
        Object("script", f"js {SCRIPT}", inlets=SCRIPT_INLETS, outlets=("",) * len(OUTLETS)),
        Object("send_port", "prepend port"),
        Object("osc_out", f"udpsend 127.0.0.1 {DAEMON_PORT}", outlets=()),
        # At low priority: the script calls Live, which is allowed at no other priority.
        Object("osc_in", f"udpreceive {FIRST_PORT} @defer 1"),
        Object(
            "show",
            f"route {' '.join(route_words)}",
            inlets=len(route_words) + 1,
            outlets=("",) * (len(route_words) + 1),
        ),
        Object("sound", "route record buffer sync listen", inlets=5, outlets=("",) * 5),
        Object("input", "plugin~", inlets=2, outlets=("signal", "signal")),
        Object("mono", "*~ 0.5", inlets=2, outlets=("signal",)),
        Object("peak", "peakamp~ 20", inlets=2, outlets=("float",)),
        Object("listen", "gate", inlets=2),
        Object("send_peak", "prepend peak"),
        Object("record", f"record~ ---take {BUFFER_CHANNELS}", inlets=4, outlets=("signal",)),
        Object("buffer", f"buffer~ ---take 1000 {BUFFER_CHANNELS}", outlets=("float", "bang")),
        Object("send_written", "prepend written"),
        Object(
            "sync",
            "plugsync~",
            outlets=("int", "int", "int", "float", "list", "float", "float", "int", "int"),
        ),
        Object("send_song_beats", "prepend song_beats"),
        # A ramp of 20 ms avoids a click.
        Object("thru_ramp", "$1 20", inlets=2, maxclass="message"),
        # Open until the switch has a value: a device that fails must not silence its track.
        Object("thru_gain", "line~ 1.", inlets=2, outlets=("signal", "bang")),
        Object("left", "*~", inlets=2, outlets=("signal",)),
        Object("right", "*~", inlets=2, outlets=("signal",)),
        Object("output", "plugout~", inlets=2, outlets=("signal", "signal")),
    ]


def _cords(route_words: Sequence[str]) -> list[Cord]:
    senders = [
        cord
        for control in CONTROLS
        if control.parameter and control.sends_value
        for cord in (Cord(control.id, f"send_{control.id}"), Cord(f"send_{control.id}", "script"))
    ]
    shown = {control.route_word: control.id for control in CONTROLS if control.route_word}
    keeps = {f"keep_{name}": name for name, _ in MEMORIES}
    targets = {**shown, **keeps, "listen_on": "osc_in"}
    return [
        *senders,
        # Every keystroke counts: nobody presses Return before Generate.
        Cord("prompt_text", "prompt_changed", outlet=3),
        Cord("prompt_changed", "prompt_text"),
        # Directly to the script: other objects would obey a prompt such as `set`.
        Cord("prompt_text", "script", inlet=PROMPT_INLET),
        Cord("preset_menu", "send_preset_menu"),
        Cord("send_preset_menu", "script"),
        Cord("target_menu", "send_target_menu"),
        Cord("send_target_menu", "script"),
        *(Cord(name, f"send_{name}") for name, _ in MEMORIES),
        *(Cord(f"send_{name}", "script") for name, _ in MEMORIES),
        Cord("this_device", "begin"),
        Cord("begin", "send_all", outlet=2),
        *(Cord("begin", name, outlet=1) for name, _ in MEMORIES),
        Cord("begin", "script"),
        *(
            Cord("send_all", control.id)
            for control in CONTROLS
            if control.parameter and not control.is_button
        ),
        Cord("port", "send_port"),
        Cord("send_port", "script"),
        Cord("script", "osc_out", outlet=OUTLETS["OSC"]),
        Cord("osc_in", "script"),
        Cord("script", "show", outlet=OUTLETS["SHOW"]),
        *(Cord("show", targets[word], outlet=at) for at, word in enumerate(route_words)),
        Cord("script", "sound", outlet=OUTLETS["SOUND"]),
        Cord("sound", "record"),
        Cord("sound", "buffer", outlet=1),
        Cord("sound", "sync", outlet=2),
        Cord("sound", "listen", outlet=3),
        Cord("input", "mono"),
        Cord("input", "mono", outlet=1),
        Cord("mono", "track_meter"),
        Cord("mono", "peak"),
        Cord("peak", "listen", inlet=1),
        Cord("listen", "send_peak"),
        Cord("send_peak", "script"),
        Cord("input", "record"),
        Cord("input", "record", outlet=1, inlet=1),
        Cord("buffer", "send_written", outlet=1),
        Cord("send_written", "script"),
        Cord("sync", "send_song_beats", outlet=6),
        Cord("send_song_beats", "script"),
        Cord("thru", "thru_ramp"),
        Cord("thru_ramp", "thru_gain"),
        Cord("thru_gain", "left", inlet=1),
        Cord("thru_gain", "right", inlet=1),
        Cord("input", "left"),
        Cord("input", "right", outlet=1),
        Cord("left", "output"),
        Cord("right", "output", inlet=1),
    ]


def _message(control: Control) -> str:
    """The beginning of a control's messages to the script."""
    return f"{'press' if control.is_button else 'control'} {control.id}"
