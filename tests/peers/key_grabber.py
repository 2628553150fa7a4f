"""Another program with global keys: `key_grabber KEYSYM` takes that key with ctrl and alt."""

from __future__ import annotations

import sys

from Xlib import XK, X, display


def main(keysym: str) -> None:
    """Hold the key until stdin ends."""
    server = display.Display()
    code = server.keysym_to_keycode(XK.string_to_keysym(keysym))
    server.screen().root.grab_key(
        code, X.ControlMask | X.Mod1Mask, False, X.GrabModeAsync, X.GrabModeAsync
    )
    server.sync()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
