"""A new word of a text encoder: a tokenizer that knows it, and an embedding for it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from bridge.engine.weights import Checkpoint
from bridge.errors import BadArgument
from bridge.pocket.text import build_tokenizer

_WORD = re.compile(r"[a-z][a-z0-9]{1,23}")


def check_word(word: str) -> None:
    """Check the form of a new word.

    Raises:
        BadArgument: it is not 2 to 24 small letters and digits.
    """
    if not _WORD.fullmatch(word):
        raise BadArgument(
            f"word {word!r}: give 2 to 24 small letters and digits, a letter first, such as "
            "'glimmer'"
        )


def with_word(checkpoint: Checkpoint, word: str | None) -> tuple[Checkpoint, int | None]:
    """A checkpoint whose text encoder knows a word, and the word's token where it is new.

    Raises:
        BadArgument: the word has another form.
    """
    if word is None:
        return checkpoint, None
    check_word(word)
    vocabulary = checkpoint.tokenizer.get_vocab()
    if word in vocabulary or f"▁{word}" in vocabulary:
        return checkpoint, None
    tokenizer = _extended(checkpoint.tokenizer, word)
    embedding: Any = checkpoint.model.text_encoder.shared
    # T5 has more rows than tokens.
    if len(tokenizer) > embedding.num_embeddings:
        checkpoint.model.text_encoder.resize_token_embeddings(len(tokenizer))
        checkpoint.model.config.text_encoder = checkpoint.model.text_encoder.config
    return replace(checkpoint, tokenizer=tokenizer), tokenizer.get_vocab()[word]


def _extended(tokenizer: Any, word: str) -> Any:
    vocabulary = tokenizer.get_vocab()
    own = build_tokenizer().get_vocab()
    if own.items() <= vocabulary.items():
        # `pocket` reads known words alone and fills its prompts, so its rules are made anew.
        added = sorted(vocabulary.keys() - own.keys(), key=lambda each: vocabulary[each])
        return build_tokenizer((*added, word))
    # T5 spells a word that it does not know in pieces; as a token of its own it has one meaning.
    tokenizer.add_tokens([word])
    return tokenizer
