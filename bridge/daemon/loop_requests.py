"""The requests of a live loop: its takes and clips, which it asks the session for like a client."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from bridge.commands import RANDOM_SEED, Cancel, CaptureLast, ClipSettings, Command, Generate
from bridge.daemon.loop_stage import LoopStage
from bridge.delivery import KnownClip
from bridge.errors import BridgeError

QUICK_BARS = 1
"""Length of the short clip that plays until the first whole one is there."""

Role = Literal["take", "quick", "whole", "again"]
_log = logging.getLogger(__name__)


@dataclass
class Round:
    """The requests of one round.

    Attributes:
        roles: of the requests that have not ended, by id.
        melody: the id of the melody that they follow.
        settings: of the clips.
        begun_seconds: the round's last bar line.
        tempo_bpm: the clock's when it began; None: it did not play.
    """

    roles: dict[str, Role]
    melody: str
    settings: ClipSettings
    begun_seconds: float
    tempo_bpm: Fraction | None


@dataclass(frozen=True)
class Recipe:
    """What a clip was made with, to make it again.

    Attributes:
        melody: its id.
    """

    melody: str
    settings: ClipSettings


class LoopRequests:
    """The requests of one loop that have not ended, by rounds.

    Attributes:
        melody: the id of the newest melody that was captured; empty before the first.
    """

    def __init__(self, loop: str, stage: LoopStage) -> None:
        """Args:
        loop: its id.
        """
        self.melody = ""
        self._loop, self._stage = loop, stage
        self._rounds: dict[int, Round] = {}

    def take(
        self,
        number: int,
        settings: ClipSettings,
        *,
        bars: int,
        is_quick: bool,
        begun_seconds: float,
    ) -> None:
        """Take the last bars, and render them.

        Args:
            number: of the round.
            is_quick: a short clip comes first.
            begun_seconds: the bar line at which the take ends.

        Raises:
            BridgeError: the session refuses one of the requests.
        """
        new_id, take = self._stage.new_id, self._stage.new_id(self._loop)
        commands: list[Command] = [CaptureLast(take, bars)]
        roles: dict[str, Role] = {take: "take"}
        if is_quick and bars > QUICK_BARS:
            quick = new_id(self._loop, "quick")
            commands.append(Generate(quick, _of_length(QUICK_BARS, settings), take))
            roles[quick] = "quick"
        whole = new_id(self._loop)
        commands.append(Generate(whole, _of_length(bars, settings), take))
        roles[whole] = "whole"
        self._rounds[number] = Round(roles, take, settings, begun_seconds, self._stage.tempo_bpm())
        for command in commands:
            self._stage.perform(command)

    def vary(self, number: int, settings: ClipSettings, *, bars: int) -> Round:
        """Render the newest melody with another seed.

        Raises:
            BridgeError: the session refuses it.
        """
        settings = _of_length(bars, ClipSettings(seed=RANDOM_SEED).over(settings))
        return self._render(number, Recipe(self.melody, settings), "whole")

    def again(self, number: int, clip: KnownClip, recipe: Recipe) -> Round:
        """Render a clip again with its own melody, settings and seed.

        Raises:
            BridgeError: the session refuses it.
        """
        settings = _of_length(clip.bars, ClipSettings(seed=clip.seed).over(recipe.settings))
        return self._render(number, Recipe(recipe.melody, settings), "again")

    def find(self, id: str) -> tuple[int, Round] | None:
        """The round of a request that has not ended, and its number."""
        for number, round_ in self._rounds.items():
            if id in round_.roles:
                return number, round_
        return None

    def round(self, number: int) -> Round | None:
        """The round of that number; None: it has ended."""
        return self._rounds.get(number)

    def end(self, number: int) -> None:
        """Forget a round whose whole clip is there."""
        del self._rounds[number]

    def give_up(self, number: int) -> None:
        """Cancel what is left of a round."""
        round_ = self._rounds.pop(number, None)
        for id in round_.roles if round_ else ():
            try:
                self._stage.perform(Cancel(id))
            except BridgeError as error:
                _log.debug("%s: %s", id, error)

    def _render(self, number: int, recipe: Recipe, role: Role) -> Round:
        id = self._stage.new_id(self._loop)
        stage = self._stage
        now_seconds, tempo_bpm = stage.now_seconds(), stage.tempo_bpm()
        round_ = Round({id: role}, recipe.melody, recipe.settings, now_seconds, tempo_bpm)
        self._rounds[number] = round_
        self._stage.perform(Generate(id, recipe.settings, recipe.melody))
        return round_


def _of_length(bars: int, settings: ClipSettings) -> ClipSettings:
    """Settings for a clip of that length, which is wanted when as many bars have been played."""
    return ClipSettings(bars=bars).over(settings.over(ClipSettings(due_bars=bars)))
