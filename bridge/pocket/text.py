"""The tokenizer: one token a word, one token a tempo.

Words it does not know are left out, and a few that mean the same are written alike, so that
"warm Rhodes, 92 BPM" and "warm electric piano, 92 bpm" are the same prompt.
"""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"

WORDS = (
    "piano electric organ strings synth lead pluck guitar bells marimba flute voice brass pad "
    "bass sub drums lo-fi brushed electronic no "
    "warm bright dark soft dreamy driving sparse ambient house jazz cinematic folk rock techno "
    "hip hop waltz bpm major minor "
    "c c# d eb e f f# g ab a bb b"
)
"""The words it knows, a space between."""

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
"""Regular expressions and what is written in their place, in lower case."""

TEMPOS_BPM = range(50, 201)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of `pocket`: lower case, known words only, `</s>` at the end."""
    vocabulary = {token: index for index, token in enumerate((PAD, END, UNKNOWN))}
    for word in (*WORDS.split(), *map(str, TEMPOS_BPM)):
        vocabulary.setdefault(word, len(vocabulary))
    known = "|".join(
        sorted((_escaped(w) for w in vocabulary if not w.startswith("<")), key=len, reverse=True)
    )
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    backend.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            *(normalizers.Replace(Regex(old), new) for old, new in SAME_WORDS.items()),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # Keeps what matches a known word, standing alone, and drops everything between.
            pre_tokenizers.Split(Regex(rf"(?<![\w#])(?:{known})(?![\w#])"), "removed", invert=True),
        ]
    )
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
    """The token of each tempo in beats a minute."""
    vocabulary = tokenizer.get_vocab()
    return {tempo: vocabulary[str(tempo)] for tempo in TEMPOS_BPM}


def _escaped(word: str) -> str:
    return word.replace("-", r"\-")
