"""The remedy for an input of exact zeros names this system only."""

from __future__ import annotations

import pytest

from bridge.soundcard.permission import silence_remedy

OWN_WORDS = {"darwin": "System Settings", "win32": "desktop apps"}


@pytest.mark.parametrize("platform", ["darwin", "win32", "linux"])
def test_a_remedy_names_its_own_system_only(platform: str) -> None:
    named = {other for other, word in OWN_WORDS.items() if word in silence_remedy(platform)}
    assert named == {platform} & set(OWN_WORDS)
    assert "unmute" in silence_remedy(platform)
