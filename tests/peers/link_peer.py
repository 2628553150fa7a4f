"""An Ableton Link peer, as another program has: `link_peer TEMPO [SYNC]`.

`SYNC` is 1 (the default) if the peer shares start and stop.

Commands on stdin: `tempo TEMPO`; `start QUANTUM`: play from beat 0 on, at the next quantum;
`stop`; and `where QUANTUM`, which answers `SECONDS BEAT TEMPO PLAYING PEERS`: the
`time.perf_counter` of the answer, the beat then, the tempo, 1 or 0, and how many others there are.
"""

from __future__ import annotations

import sys
import time

import link


def main(tempo_bpm: str, sync: str = "1") -> None:
    """Run until stdin ends."""
    peer = link.Link(float(tempo_bpm))
    peer.startStopSyncEnabled = sync == "1"
    peer.enabled = True
    print("ready", flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        micros = peer.clock().micros()
        state = peer.captureAppSessionState()
        match command:
            case "tempo":
                state.setTempo(float(words[0]), micros)
                peer.commitAppSessionState(state)
            case "start":
                state.setIsPlayingAndRequestBeatAtTime(True, micros, 0.0, float(words[0]))
                peer.commitAppSessionState(state)
            case "stop":
                state.setIsPlaying(False, micros)
                peer.commitAppSessionState(state)
            case "where":
                # Read side by side: the clocks are different ones.
                seconds, micros = time.perf_counter(), peer.clock().micros()
                beat = state.beatAtTime(micros, float(words[0]))
                playing = int(state.isPlaying())
                print(seconds, beat, state.tempo(), playing, peer.numPeers(), flush=True)
    peer.enabled = False


if __name__ == "__main__":
    main(*sys.argv[1:])
