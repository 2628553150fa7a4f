"""The tokenizer: one token a word, one token a tempo.

Unknown words are left out, and synonyms have one spelling, so that "warm Rhodes, 92 BPM" and "warm
electric piano, 92 bpm" are the same prompt. Every prompt has the same number of tokens: the text's
length moves the positions of the audio, and the decoder counts beats by its positions.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
FILLER = "."
"""Fills a prompt from the front up to `PROMPT_WORDS`."""
PROMPT_WORDS = 14
"""Length of the longest prompt of the corpus. A longer prompt keeps its last words, which include
tempo and key."""

WORDS = (
    "piano electric organ strings synth lead pluck guitar bells marimba flute voice brass pad "
    "bass sub drums lo-fi brushed electronic no "
    "warm bright dark soft dreamy driving sparse ambient house jazz cinematic folk rock techno "
    "hip hop waltz bpm major minor "
    "c c# d eb e f f# g ab a bb b"
)
"""The known words, separated by spaces."""

SAME_WORDS = {
    r"\brhodes\b": "electric piano",
    r"\bwurlitzer\b": "electric piano",
    r"\bkeys\b": "piano",
    r"\bchoir\b|\bvocals?\b|\bvocal\b": "voice",
    r"\bviolins?\b|\bcellos?\b|\borchestral?\b": "strings",
    r"\bpads\b": "pad",
    r"\bplucks\b|\bplucked\b|\bharp\b": "pluck",
    r"\bguitars\b": "guitar",
    r"\bbell\b|\bglockenspiel\b|\bchimes?\b": "bells",
    r"\bvibraphone\b|\bxylophone\b|\bkalimba\b": "marimba",
    r"\bhorns?\b|\btrumpets?\b": "brass",
    r"\bdrum\b|\bbeats?\b|\bpercussion\b": "drums",
    r"\blofi\b|\blo fi\b": "lo-fi",
    r"\bhip-hop\b": "hip hop",
    r"\bd#": "eb",
    r"\bg#": "ab",
    r"\ba#": "bb",
    r"\bdb\b": "c#",
    r"\bgb\b": "f#",
}
"""Regular expressions and their replacements, in lower case."""

TEMPOS_BPM = range(50, 201)


def build_tokenizer(more_words: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """The tokenizer of `pocket`: lower case, the last `PROMPT_WORDS` known words and `</s>`.

    The empty text is `</s>` alone, which means no text.

    Args:
        more_words: words that a fine-tuned checkpoint has learned, after the usual ones.
    """
    vocabulary = {token: index for index, token in enumerate((PAD, END, UNKNOWN, FILLER))}
    for word in (*WORDS.split(), *map(str, TEMPOS_BPM), *more_words):
        vocabulary.setdefault(word, len(vocabulary))
    words = [word for word in vocabulary if not word.startswith("<") and word != FILLER]
    known = "|".join(sorted((word.replace("-", r"\-") for word in words), key=len, reverse=True))
    a_word = rf"(?<![\w#])(?:{known})(?![\w#])"
    filled = f"{FILLER} " * PROMPT_WORDS
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    backend.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            *(normalizers.Replace(Regex(old), new) for old, new in SAME_WORDS.items()),
            # Everything before, between and after known words; \K keeps the word itself.
            normalizers.Replace(Regex(rf"(?:\A|{a_word})\K(?:(?!{a_word})[\s\S])+"), " "),
            normalizers.Replace(Regex(r"\A\s*"), filled),
            normalizers.Replace(Regex(rf"\A.*?(?=(?:\S+\s+){{{PROMPT_WORDS - 1}}}\S+\s*\z)"), ""),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, vocabulary[END])]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=128,
    )


def tempo_tokens(tokenizer: PreTrainedTokenizerFast) -> dict[int, int]:
    """The token of each tempo in beats per minute."""
    vocabulary = tokenizer.get_vocab()
    return {tempo: vocabulary[str(tempo)] for tempo in TEMPOS_BPM}
