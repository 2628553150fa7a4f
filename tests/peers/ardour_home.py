"""The home folder of an Ardour 7.3: configuration, backends and a session, as it writes them.

Needs `ardour7-new_session`.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bridge.timing import FALLBACK_METER, Meter
from tests.peers.jack import SAMPLE_RATE

LIBRARY = Path("/usr/lib/ardour7")
_PROGRAM, _HEADLESS_PROGRAM = "ardour-7*", "hardour-7*"
_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour>
  <Config/>
  <TransportMasters current="JACK Transport">
    <TransportMaster type="Engine" name="JACK Transport" collect="1" removeable="0"/>
    <TransportMaster type="MTC" name="MTC" collect="1" removeable="0"/>
    <TransportMaster type="LTC" name="LTC" collect="1" removeable="0"/>
    <TransportMaster type="MIDIClock" name="MIDI Clock" collect="1" removeable="0"/>
  </TransportMasters>
</Ardour>
"""
"""By default the master is MIDI Clock, and play does nothing."""
SUPERCLOCKS = 282_240_000
"""Ardour's units of time in a second."""


class Passage(NamedTuple):
    """A part of the session's timeline.

    Attributes:
        bars: its length; the last passage has no end.
        tempo_bpm: at its start.
        end_bpm: at its end, where the tempo changes evenly; None: it is constant.
    """

    bars: int
    tempo_bpm: float
    meter: Meter = FALLBACK_METER
    end_bpm: float | None = None


class Section(NamedTuple):
    """A passage, and where it begins.

    Attributes:
        clock: in Ardour's units of time.
        bar: from 0.
        beat: in quarter notes.
        omega: the rate of its change of tempo, as Ardour counts it.
    """

    passage: Passage
    clock: int
    bar: int
    beat: float
    omega: float

    @property
    def frame(self) -> float:
        """The frame of the transport at which it begins."""
        return self.clock * SAMPLE_RATE / SUPERCLOCKS

    @property
    def bar_frames(self) -> float:
        """The length of a bar at the tempo at its start."""
        beats = float(self.passage.meter.beats_per_bar)
        return beats * 60 / self.passage.tempo_bpm * SAMPLE_RATE


def sections(passages: Sequence[Passage]) -> list[Section]:
    """The passages one after the other (`TempoPoint` in Ardour 7.3's libs/temporal/tempo.cc)."""
    found: list[Section] = []
    clock, bar, beat = 0, 0, 0.0
    for passage in passages:
        beats = float(passage.bars * passage.meter.beats_per_bar)
        quarter = SUPERCLOCKS * 60 / passage.tempo_bpm
        omega, length = 0.0, beats * quarter
        if passage.end_bpm is not None:
            omega = (passage.end_bpm / passage.tempo_bpm - 1) / (quarter * beats)
            length = math.log1p(quarter * omega * beats) / omega
        found.append(Section(passage, clock, bar, beat, omega))
        clock, bar, beat = clock + round(length), bar + passage.bars, beat + beats
    return found


class ArdourHome:
    """A home folder that an Ardour has for itself.

    Attributes:
        path: of the folder.
        configuration: the folder of what users set up.
        session: the session's folder; it has the folder's name.
        sections: of the session's timeline.
    """

    def __init__(self, path: Path, passages: Sequence[Passage]) -> None:
        """Write configuration, backends and session.

        Args:
            path: an empty folder.
            passages: of the session's timeline; one or more.
        """
        self.path, self.sections = path, sections(passages)
        self.configuration = path / ".config" / "ardour7"
        self.configuration.mkdir(parents=True)
        (self.configuration / ".a7").touch()
        (self.configuration / "instant.xml").write_text("<instant><no-memory-warning/></instant>\n")
        (self.configuration / "config").write_text(_CONFIG)
        self._write_backends()
        self.session = path / "session"
        self._new_session()

    @property
    def program(self) -> Path:
        """The program with a window."""
        return _only(_PROGRAM)

    @property
    def headless_program(self) -> Path:
        """The program without a window."""
        return _only(_HEADLESS_PROGRAM)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the program finds this home and its own parts."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("XDG_")
        }
        return environment | {
            "HOME": str(self.path),
            "XDG_RUNTIME_DIR": str(self.path),
            "GTK_PATH": f"/etc/ardour7:{LIBRARY}",
            "LD_LIBRARY_PATH": str(LIBRARY),
            "ARDOUR_DATA_PATH": "/usr/share/ardour7",
            "ARDOUR_CONFIG_PATH": "/etc/ardour7",
            "ARDOUR_SURFACES_PATH": str(LIBRARY / "surfaces"),
            "ARDOUR_DLL_PATH": str(self.path / "library"),
        }

    def restore_session(self) -> None:
        """Write the session, and undo what a program has saved in it."""
        # A saved session has the surface twice, the second time switched off.
        shutil.copy(self.path / "session.ardour", self.session / "session.ardour")
        # What it saves by itself every two minutes: after a kill it asks what to do with it.
        (self.session / "session.pending").unlink(missing_ok=True)

    def _write_backends(self) -> None:
        """A library folder whose only backend is JACK: with a choice, Ardour asks."""
        library = self.path / "library"
        library.mkdir()
        for entry in LIBRARY.iterdir():
            if entry.name != "backends":
                (library / entry.name).symlink_to(entry)
        (library / "backends").mkdir()
        jack = "libjack_audiobackend.so"
        (library / "backends" / jack).symlink_to(LIBRARY / "backends" / jack)

    def _new_session(self) -> None:
        subprocess.run(
            # The name is the folder's: else Ardour asks.
            ["ardour7-new_session", "-s", str(SAMPLE_RATE), self.session, self.session.name],
            check=True,
            capture_output=True,
            env=self.environment,
        )
        file = self.session / f"{self.session.name}.ardour"
        text = file.read_text()
        text = re.sub(r"<TempoMap.*?</TempoMap>", _tempo_map(self.sections), text, flags=re.DOTALL)
        text = re.sub(r"<EngineHints.*?/>", "", text)
        text = text.replace('"external-sync" value="0"', '"external-sync" value="1"')
        surface = 'name="Open Sound Control (OSC)" active='
        text = text.replace(f'{surface}"0"', f'{surface}"1"')
        (self.path / file.name).write_text(text)


def _only(pattern: str) -> Path:
    (path,) = LIBRARY.glob(pattern)
    return path


def _tempo_map(timeline: Sequence[Section]) -> str:
    """A session's tempo and meter (`TempoPoint::get_state` in Ardour 7.3's libs/temporal)."""
    tempi, meters = "", ""
    for passage, clock, bar, beat, omega in timeline:
        place = (
            f'sclock="{clock}" quarters="{int(beat)}:{round(beat % 1 * 1920)}" bbt="{bar + 1}|1|0"'
        )
        kind = "Ramped" if omega else "Constant"
        end_bpm = passage.tempo_bpm if passage.end_bpm is None else passage.end_bpm
        tempi += (
            f'<Tempo npm="{passage.tempo_bpm}" enpm="{end_bpm}" note-type="4" '
            f'type="Tempo::{kind}" active="1" locked-to-meter="0" continuing="0" {place} '
            f'omega="{omega!r}"/>'
        )
        meters += (
            f'<Meter note-value="{passage.meter.denominator}" '
            f'divisions-per-bar="{passage.meter.numerator}" {place}/>'
        )
    return (
        f'<TempoMap superclocks-per-second="{SUPERCLOCKS}"><Tempos>{tempi}</Tempos>'
        f"<Meters>{meters}</Meters><MusicTimes/></TempoMap>"
    )
