"""Releases and repeats of keys, from terminals with the kitty keyboard protocol.

Textual asks for that protocol, but not for its event types, and its parser fails on them
(textual 8.2, Textualize/textual#6417). The parser here takes the event type out of a sequence, and
leaves the rest to textual's. Both classes override private names: see `hold.driver_class`.

The protocol: https://sw.kovidgoyal.net/kitty/keyboard-protocol/
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.keys import Keys
from textual.message import Message

from bridge.screens.sketch.hold import Key, KeyReleased

ASK, ASK_NO_MORE = "\x1b[=2;2u", "\x1b[=2;3u"
"""Set and clear the flag of event types, beside those that textual has set."""
REPEAT, RELEASE = "2", "3"
MOST_PRESSED = 64
"""More keys than hands can hold: their releases went elsewhere."""
PARSER = "XTermParser"
"""The name by which textual's driver makes its parser."""
_SEQUENCE = re.compile(
    r"\x1b\[(?P<code>\d*)(?:;(?P<modifiers>\d*)(?::(?P<type>[123]))?(?P<text>;[\d:]*)?)?"
    r"(?P<end>[u~ABCDEFHPQRS])"
)


class EventTypeParser(XTermParser):
    """Textual's parser, for sequences with event types too: its keys are `hold.Key`s."""

    def __init__(self, debug: bool = False) -> None:
        # By code: a release carries no text, and its modifiers may have changed since the press.
        self._pressed: dict[str, events.Key] = {}
        super().__init__(debug)

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        found = _SEQUENCE.fullmatch(sequence)
        if found is None:
            yield from super()._sequence_to_key_events(sequence, alt)
            return
        code = found["code"] + found["end"]
        if found["type"] == RELEASE:
            pressed = self._pressed.pop(code, None)
            if pressed is None:
                yield Key(Keys.Ignore, sequence)
            else:
                yield Key(pressed.key, pressed.character, is_release=True)
            return
        if found["type"]:
            # 1 means no modifier; textual would take it for one.
            modifiers = found["modifiers"] if found["modifiers"] != "1" else ""
            sequence = f"\x1b[{found['code']};{modifiers}{found['text'] or ''}{found['end']}"
        for key in super()._sequence_to_key_events(sequence, alt):
            if len(self._pressed) >= MOST_PRESSED:
                self._pressed.clear()
            self._pressed[code] = key
            yield Key(key.key, key.character, is_repeat=found["type"] == REPEAT)


class EventTypeDriver(LinuxDriver):
    """Textual's driver, which asks for event types and sends `KeyReleased`."""

    _has_asked = False

    def run_input_thread(self) -> None:
        """Read keys with the other parser."""
        names = vars(linux_driver)
        names[PARSER] = self._parser
        try:
            super().run_input_thread()
        finally:
            names[PARSER] = XTermParser

    def disable_input(self) -> None:
        """Ask for no more releases, before what is still unread is dropped.

        Else the shell would get the release of the key that quits.
        """
        if self._has_asked:
            self._has_asked = False
            self.write(ASK_NO_MORE)
            self.flush()
        super().disable_input()

    def process_message(self, message: Message) -> None:
        """See `Driver`. A release is no `Key` for textual, which would do what its press does."""
        if isinstance(message, Key) and message.is_release:
            message = KeyReleased(message.key, message.character)
        super().process_message(message)

    def _parser(self, debug: bool) -> EventTypeParser:
        """The parser; asked for here, so that a driver that makes another one asks for nothing."""
        self._has_asked = True
        self.write(ASK)
        self.flush()
        return EventTypeParser(debug)


def understands_event_types() -> bool:
    """Whether this version of textual, as it is set, can be used in this way."""
    if constants.DISABLE_KITTY_KEY or constants.DRIVER or not hasattr(linux_driver, PARSER):
        return False
    try:
        keys = [*EventTypeParser().feed("\x1b[32;;32u\x1b[32;1:2;32u\x1b[32;1:3u")]
    except Exception:
        return False
    phases = [(each.is_repeat, each.is_release) for each in keys if isinstance(each, Key)]
    return phases == [(False, False), (True, False), (False, True)]
