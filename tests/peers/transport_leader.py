"""A JACK client that leads the transport, as a DAW does: `transport_leader TEMPO METER [UNIT]`.

`METER` is such as `7/8`. `UNIT` says what JACK's `beats_per_minute` counts: `quarter` (as in
Ardour; the default) or `beat` (as in JACK's example client); or it is `none`: the client leads
without bars and beats.

Commands on stdin: `start`, `stop`, `locate FRAME`, `tempo TEMPO`, `meter METER`; `where`, which
answers `STATE FRAME SECONDS`: `rolling` or `stopped`, the transport's frame at the beginning of
a cycle, and the `time.perf_counter` of that moment; and `given`, which answers the
`beats_per_minute` of whoever leads, 0 when nobody does.
"""

from __future__ import annotations

import sys
from typing import Any

import jack

from tests.peers.jack_clock import Clock

NAME = "leader"
TICKS_PER_BEAT = 1920


class _Music:
    """The tempo (quarter notes a minute) from a frame on, and the meter since the song's start."""

    def __init__(self, tempo_bpm: float, meter: str) -> None:
        self.tempo_bpm = tempo_bpm
        self.set_meter(meter)
        self.from_frame, self.from_quarter = 0, 0.0

    def set_meter(self, meter: str) -> None:
        self.numerator, self.denominator = map(int, meter.split("/"))

    def quarter(self, frame: int, sample_rate: int) -> float:
        seconds = (frame - self.from_frame) / sample_rate
        return self.from_quarter + seconds * self.tempo_bpm / 60

    def change_tempo(self, tempo_bpm: float, frame: int, sample_rate: int) -> None:
        self.from_quarter = self.quarter(frame, sample_rate)
        self.from_frame, self.tempo_bpm = frame, tempo_bpm

    def write(self, position: Any, unit: str) -> None:
        """Write bar, beat and tick of the position's frame, as `jack_position_t` has them."""
        beat = self.quarter(position.frame, position.frame_rate) * self.denominator / 4
        bars, beat_in_bar = divmod(beat, self.numerator)
        position.bar, position.beat = int(bars) + 1, int(beat_in_bar) + 1
        position.tick = int(beat_in_bar % 1 * TICKS_PER_BEAT)
        position.bar_start_tick = bars * self.numerator * TICKS_PER_BEAT
        position.beats_per_bar, position.beat_type = self.numerator, self.denominator
        position.ticks_per_beat = TICKS_PER_BEAT
        factor = self.denominator / 4 if unit == "beat" else 1
        position.beats_per_minute = self.tempo_bpm * factor
        position.valid = jack.POSITION_BBT


def main(tempo_bpm: str, meter: str, unit: str = "quarter") -> None:
    """Lead until stdin ends."""
    client = jack.Client(NAME, no_start_server=True)
    clock = Clock(client)
    music = _Music(float(tempo_bpm), meter)
    where = "stopped", 0, 0.0

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def process(_: int) -> None:
        nonlocal where
        state, position = client.transport_query_struct()
        name = "rolling" if state == jack.ROLLING else "stopped"
        where = name, position.frame, clock.cycle_seconds()

    if unit != "none":

        @client.set_timebase_callback  # type: ignore[untyped-decorator]
        def timebase(_state: int, _frames: int, position: Any, _new: bool) -> None:
            music.write(position, unit)

    with client:
        print("ready", flush=True)
        for line in sys.stdin:
            command, *words = line.split()
            match command:
                case "start":
                    client.transport_start()
                case "stop":
                    client.transport_stop()
                case "locate":
                    client.transport_locate(int(words[0]))
                case "tempo":
                    frame = client.transport_frame
                    music.change_tempo(float(words[0]), frame, client.samplerate)
                case "meter":
                    music.set_meter(words[0])
                case "given":
                    _, position = client.transport_query_struct()
                    is_led = position.valid & jack.POSITION_BBT
                    print(position.beats_per_minute if is_led else 0.0, flush=True)
                case "where":
                    print(*where, flush=True)
        client.release_timebase()


if __name__ == "__main__":
    main(*sys.argv[1:])
