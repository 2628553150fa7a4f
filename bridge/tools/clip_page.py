"""The page of `melody-bridge clips --html`: players and pictures, inside the clips folder.

It is one file without scripts from elsewhere, and all its links are relative: it works without a
network, and wherever the folder is moved to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from html import escape
from pathlib import Path
from urllib.parse import quote

from bridge.audio import Waveform
from bridge.config.small_file import read_small_file
from bridge.delivery.clip_book import BookClip
from bridge.delivery.folder_lock import folder_lock
from bridge.delivery.sidecar import UNREADABLE, read_tempo
from bridge.delivery.wav import FULL, replace_file
from bridge.errors import BadArgument, BridgeError, DiskFull, NotWritable
from bridge.melody import read_melody
from bridge.melody.audio_file import read_audio
from bridge.rendering.svg import notes_svg, sound_svg
from bridge.timing import bars_text
from bridge.tools.clips import plain, printable

PAGE = "clips.html"
MIDI_SUFFIX = ".mid"
"""Of takes that are notes."""
_GENERATOR = '<meta name="generator" content="melody-bridge">'
"""Marks a page of this program: another's is not overwritten."""
_SETTINGS = (
    *("prompt", "preset", "key", "model", "guidance_scale", "temperature", "top_k", "top_p"),
    "made_by",
)
_MOST_PAGE_BYTES = 64 << 20
_HEAD = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{_GENERATOR}
<title>Clips</title>
<style>
:root {{ color-scheme: light dark; --ink: #22303c; --dim: #5d6b77; --paper: #f6f4ef; --card: #fff;
  --line: #d9d5cb; --wave: #c2571a; --chroma: #1f6f8b; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e9ec; --dim: #9aa7b2; --paper: #14191e;
  --card: #1d242b; --line: #333d46; --wave: #f08a4b; --chroma: #63b7d4; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 80rem; padding: 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; }}
h1 {{ font-size: 1.3rem; }}
main {{ display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); }}
article {{ min-width: 0; padding: .8rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; }}
article:target {{ outline: 2px solid var(--wave); }}
h2 {{ margin: 0; font-size: 1rem; overflow-wrap: anywhere; }}
p {{ margin: .3rem 0; color: var(--dim); font-size: .85rem; overflow-wrap: anywhere; }}
code {{ user-select: all; }}
.mark {{ padding: 0 .4rem; border-radius: .6rem; background: var(--wave); color: var(--card);
  font-size: .75rem; font-weight: normal; }}
svg {{ display: block; width: 100%; height: 7rem; margin: .4rem 0; }}
.take svg {{ height: 4.5rem; }}
audio {{ display: block; width: 100%; height: 2.5rem; }}
.wave {{ fill: var(--wave); }}
.bar {{ stroke: var(--ink); stroke-opacity: .3; vector-effect: non-scaling-stroke; }}
.c1, .c2, .c3, .c4 {{ fill: var(--chroma); }}
.c1 {{ opacity: .15; }} .c2 {{ opacity: .35; }} .c3 {{ opacity: .65; }}
summary {{ color: var(--dim); font-size: .85rem; cursor: pointer; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .1rem .6rem; margin: .4rem 0;
  font-size: .85rem; }}
dt {{ color: var(--dim); }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
a {{ color: inherit; }}
</style>
</head>
<body>
"""
_TAIL = """\
<script>
addEventListener("play", event => {
  for (const player of document.querySelectorAll("audio"))
    if (player !== event.target) player.pause();
}, true);
</script>
</body>
</html>
"""


def write_page(
    folder: Path, clips: Sequence[BookClip], progress: Callable[[float], None] = lambda share: None
) -> Path:
    """Write the page into the clips folder, and return its path. An earlier page is replaced.

    Args:
        progress: called with the share that is drawn, 0…1.

    Raises:
        BadArgument: a file of that name is none of this program's pages.
        NotWritable, DiskFull: the page cannot be written.
    """
    path = folder / PAGE
    _check_own(path)
    cards = []
    for number, clip in enumerate(clips):
        progress(number / len(clips))
        cards.append(_card(folder, clip))
    count = "1 clip" if len(clips) == 1 else f"{len(clips)} clips"
    body = f"<h1>Melody Bridge: {count}</h1>\n<main>\n{''.join(cards)}</main>\n"
    try:
        with folder_lock(folder):
            replace_file(path, f"{_HEAD}{body}{_TAIL}".encode())
    except OSError as error:
        kind = DiskFull if error.errno in FULL else NotWritable
        raise kind(f"{str(path)!r} cannot be written: {error.strerror}") from error
    return path


def _check_own(path: Path) -> None:
    if not path.exists() and not path.is_symlink():
        return
    try:
        is_own = _GENERATOR in read_small_file(path, _MOST_PAGE_BYTES)
    except (OSError, UnicodeDecodeError):
        is_own = False
    if not is_own:
        raise BadArgument(f"{str(path)!r} is not a page of this program: move it away first")


def _card(folder: Path, clip: BookClip) -> str:
    known = clip.known
    mark = f' <span class="mark">{clip.mark}</span>' if clip.mark != "none" else ""
    facts = [f"<code>{clip.id}</code>", f"{clip.made.astimezone():%Y-%m-%d %H:%M}"]
    if known.melody_similarity is not None:
        facts.append(f"similarity {known.melody_similarity:.2f}")
    return (
        f'<article id="{clip.id}">\n<h2>{_text(known.path.stem)}{mark}</h2>\n'
        f"<p>{' · '.join(facts)}</p>\n"
        f"{_picture(clip, known.path)}{_player(folder, known.path, loop=True)}"
        f"{_melody(folder, clip)}{_details(folder, clip)}</article>\n"
    )


def _melody(folder: Path, clip: BookClip) -> str:
    """The take, with a player; of a melody from elsewhere only the name."""
    if not clip.melody:
        return ""
    if clip.take is None:
        return f"<p>follows {_text(clip.melody)}</p>\n"
    player = _player(folder, clip.take) if clip.take.suffix == ".wav" else ""
    link = f'<a href="{_link(folder, clip.take)}">{_text(clip.take.stem)}</a>'
    return (
        f'<details class="take"><summary>follows {_text(clip.melody)}</summary>'
        f"{_picture(clip, clip.take)}{player}<p>{link}</p></details>\n"
    )


def _details(folder: Path, clip: BookClip) -> str:
    known = clip.known
    length = f"{bars_text(known.bars)} of {known.meter} at {float(known.tempo_bpm):g} bpm"
    rows = {
        "length": length if known.bars else "as the model made it, on no bars",
        "seed": str(known.seed),
    }
    for name in _SETTINGS:
        value = plain(clip.fields.get(name))
        if value is not None and value != "":
            rows[name.replace("_", " ")] = str(value)
    if clip.text("again_of"):
        rows["again of"] = clip.text("again_of")
    remarks = plain(clip.fields.get("remarks"))
    texts = "".join(f"<p>{_text(remark)}</p>" for remark in remarks or ())
    if clip.notes is not None:
        texts += f'<p><a href="{_link(folder, clip.notes)}">notes (MIDI)</a></p>'
    terms = "".join(f"<dt>{_text(name)}</dt><dd>{_text(rows[name])}</dd>" for name in rows)
    return f"<details><summary>how it was made</summary><dl>{terms}</dl>{texts}</details>\n"


def _picture(clip: BookClip, path: Path) -> str:
    """The picture of the clip or of its take; a sentence where it cannot be drawn."""
    known = clip.known
    bar_beats = float(known.meter.beats_per_bar)
    try:
        if path.suffix == MIDI_SUFFIX:
            take = read_melody(path)
            assert not isinstance(take.source, Waveform)
            end_beats = float(take.end_beats)
            return notes_svg(take.source, end_beats, end_beats / bar_beats) + "\n"
        sound = read_audio(path)
    except (BridgeError, OSError) as error:
        return f"<p>no picture: {_text(str(error))}</p>\n"
    is_clip = path == known.path
    tempo_bpm = known.tempo_bpm if is_clip else _melody_tempo(clip)
    bars = sound.seconds * float(tempo_bpm) / 60 / bar_beats
    return sound_svg(sound, known.bars if is_clip and known.bars else bars) + "\n"


def _melody_tempo(clip: BookClip) -> Fraction:
    """The melody's tempo; the clip's where it is not known."""
    try:
        return read_tempo(clip.fields.get("melody_tempo_bpm"))
    except UNREADABLE:
        return clip.known.tempo_bpm


def _player(folder: Path, path: Path, *, loop: bool = False) -> str:
    looped = " loop" if loop else ""
    return f'<audio controls preload="none"{looped} src="{_link(folder, path)}"></audio>\n'


def _link(folder: Path, path: Path) -> str:
    """A relative link to a file in the folder."""
    return "/".join(quote(os.fsencode(part)) for part in path.relative_to(folder).parts)


def _text(text: str) -> str:
    return escape(printable(text))
