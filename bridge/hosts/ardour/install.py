"""Puts Melody Bridge's scripts where Ardour finds them."""

from __future__ import annotations

import os
import re
import string
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from bridge.delivery.wav import replace_file
from bridge.errors import BadArgument, NotWritable
from bridge.hosts.ardour.inbox import inbox_path

SCRIPTS = ("melody_bridge.lua", "melody_bridge_hum.lua", "melody_bridge_selection.lua")
OLDEST = 7
"""The first version of Ardour with cue slots."""
_FLATPAK = Path(".var", "app", "org.ardour.Ardour", "config")
"""Where an Ardour in Flatpak has its configuration, in the user's home."""
_FOLDER = re.compile(r"ardour([0-9]+)", re.IGNORECASE)
_PLAIN = frozenset(f"{string.ascii_letters}{string.digits}/._- ")
_PORT = "local DAEMON_PORT = "
_INBOX = "local INBOX = "


def config_folders() -> list[Path]:
    """Ardour's folders in the user's configuration, one for each version that has been run.

    Where they are is in Ardour's libs/ardour/filesystem_paths.cc.
    """
    found = []
    for base in _bases():
        for name in sorted(os.listdir(base)) if base.is_dir() else []:
            match = _FOLDER.fullmatch(name)
            if match is not None and int(match.group(1)) >= OLDEST:
                found.append(base / name)
    return found


def install(folders: Sequence[Path], *, osc_port: int, inbox: Path | None = None) -> list[Path]:
    """Write the scripts into the folder `scripts` of each of Ardour's folders.

    Args:
        osc_port: the daemon's; the scripts send to it.
        inbox: the file that the script reads; None: the companion's usual one.

    Returns:
        The paths of the scripts.

    Raises:
        BadArgument: there is no such folder: Ardour has never been run.
        NotWritable: a script cannot be written.
    """
    if not folders:
        raise BadArgument(
            f"there is no folder of Ardour {OLDEST} or newer in {' or '.join(map(str, _bases()))}: "
            "start Ardour once, then install again"
        )
    written = []
    for name in SCRIPTS:
        content = script(name, osc_port=osc_port, inbox=inbox or inbox_path()).encode()
        for folder in folders:
            path = folder / "scripts" / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, content)
            except OSError as error:
                reason = error.strerror or error
                raise NotWritable(f"{str(path)!r} cannot be written: {reason}") from error
            written.append(path)
    return written


def script(name: str, *, osc_port: int, inbox: Path) -> str:
    """The text of a script, with the daemon's port and the inbox in it."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    values = {_PORT: str(osc_port), _INBOX: _lua_text(os.fsencode(inbox))}
    lines = []
    for line in text.splitlines():
        head = next((head for head in values if line.lstrip().startswith(head)), None)
        lines.append(line if head is None else line[: line.index(head)] + head + values[head])
    return "\n".join(lines) + "\n"


def _lua_text(text: bytes) -> str:
    """A text in Lua: bytes that are not plain characters as decimal escapes."""
    characters = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03d}" for byte in text)
    return f'"{"".join(characters)}"'


def _bases() -> list[Path]:
    """The folders that hold Ardour's own."""
    if sys.platform == "darwin":
        return [Path.home() / "Library" / "Preferences"]
    configured = os.environ.get("XDG_CONFIG_HOME")
    if sys.platform == "win32":
        return [Path(configured or os.environ.get("LOCALAPPDATA", str(Path.home())))]
    return [Path(configured or Path.home() / ".config"), Path.home() / _FLATPAK]
