"""The tokenizer: known words, synonyms, and unknown words."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from bridge.pocket.music.score import BASSES, CHORD_VOICES, KEY_NAMES, KITS, LEADS
from bridge.pocket.text import FILLER, PROMPT_WORDS, TEMPOS_BPM, build_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def words(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    """The words of a tokenized prompt, without fillers and the end token."""
    ids = tokenizer(text)["input_ids"]
    assert ids[-1] == tokenizer.eos_token_id
    assert len(ids) == PROMPT_WORDS + 1
    read = [str(word) for word in tokenizer.convert_ids_to_tokens(ids[:-1])]
    while read and read[0] == FILLER:
        read.pop(0)
    return " ".join(read)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("warm Rhodes, 92 BPM", "warm electric piano 92 bpm"),
        ("Wurlitzer and CHOIR", "electric piano voice"),
        ("hip-hop beat", "hip hop drums"),
        ("lofi keys, plucked harp", "lo-fi piano pluck pluck"),
        ("lo fi chimes", "lo-fi bells"),
        ("violins, horns", "strings brass"),
        ("D# minor", "eb minor"),
        ("Gb major, Db", "f# major c#"),
        ("Bb minor", "bb minor"),
        ("C# minor", "c# minor"),
    ],
)
def test_synonyms_have_one_spelling(
    tokenizer: PreTrainedTokenizerFast, text: str, read: str
) -> None:
    assert words(tokenizer, text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a dusty underwater piano!!", "a piano"),
        ("pianos", ""),
        ("bassoon, drumsticks", ""),
        ("ピアノ 🎹", ""),
        ("...no--drums...", "no drums"),
        ("300 bpm", "bpm"),
        ("12345", ""),
        ("zither", ""),
        ("   ", ""),
        (",,,", ""),
        (". . . piano .", "piano"),
        ("piano\n\tdrums\n", "piano drums"),
    ],
)
def test_unknown_words_are_left_out(
    tokenizer: PreTrainedTokenizerFast, text: str, read: str
) -> None:
    assert words(tokenizer, text) == read


def test_no_text_is_the_end_token_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer("")["input_ids"] == [tokenizer.eos_token_id]


def test_every_tempo_has_its_own_token(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = {tokenizer(f"{tempo} bpm")["input_ids"][-3] for tempo in TEMPOS_BPM}
    assert len(ids) == len(TEMPOS_BPM)
    assert words(tokenizer, "70 bpm") == "70 bpm"


def test_a_long_prompt_keeps_its_last_words(tokenizer: PreTrainedTokenizerFast) -> None:
    read = words(tokenizer, "warm piano, " * 40 + "90 bpm, C major")
    assert read == "warm piano " * 5 + "90 bpm c major"


def test_a_prompt_as_long_as_a_book_is_tokenized(tokenizer: PreTrainedTokenizerFast) -> None:
    assert words(tokenizer, "drums and pianos " * 20_000) == " ".join(["drums"] * PROMPT_WORDS)


def test_the_tokenizer_knows_every_instrument_and_key(tokenizer: PreTrainedTokenizerFast) -> None:
    for name in (*LEADS, *CHORD_VOICES, *BASSES, *KITS, *KEY_NAMES):
        assert words(tokenizer, name) == name.lower()


def test_prompts_of_a_batch_need_no_padding(tokenizer: PreTrainedTokenizerFast) -> None:
    batch = tokenizer(["warm piano", "piano", "zither"], padding=True)
    assert all(all(mask) for mask in batch["attention_mask"])
