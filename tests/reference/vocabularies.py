"""Small vocabularies in the forms in which people have the large ones.

XLM-R: `sentencepiece.bpe.model` as sentencepiece trains it, and `tokenizer.json` with fairseq's numbering
(`<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3, then the pieces, `<mask>` last). CLIP: `vocab.json` + `merges.txt`,
and `tokenizer.json`.
"""

import base64
import io
import json
from collections import Counter
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

import corpus

XLMR_PIECES = 600
CLIP_MERGES = 180
MARKERS = ["<S>", "</S>", "<O>", "</O>"]


# ---- XLM-R -------------------------------------------------------------------------------------------------


def train_sentencepiece() -> bytes:
    """A Unigram model with XLM-R's normalization (NMT's NFKC) and without byte fallback."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus.lines()),
        model_writer=model,
        model_type="unigram",
        vocab_size=XLMR_PIECES,
        character_coverage=0.993,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        shuffle_input_sentence=False,
        minloglevel=2,
    )
    return model.getvalue()


def xlmr_tokenizer(model: bytes, markers: bool = False) -> Tokenizer:
    """`tokenizer.json` of a sentencepiece model; with `markers`, RE's four are added tokens after `<mask>`."""
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [(piece.piece, piece.score) for piece in proto.pieces[3:]]
    vocabulary += [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    charsmap = proto.normalizer_spec.precompiled_charsmap
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap)])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"] + (MARKERS if markers else []))
    return tokenizer


# ---- CLIP --------------------------------------------------------------------------------------------------

WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_alphabet() -> list[str]:
    """The 256 characters that stand for bytes, printable ones for themselves first, as GPT-2 orders them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    characters = [chr(byte) for byte in printable]
    return characters + [chr(256 + n) for n in range(256 - len(printable))]


def train_clip_merges() -> list[tuple[str, str]]:
    """Byte-pair merges with `</w>` at the end of a word, most frequent pair first, ties by spelling."""
    shape = clip_tokenizer(*clip_vocabulary([], end_first=False))
    words: Counter[tuple[str, ...]] = Counter()
    for line in corpus.lines():
        for word, _ in shape.pre_tokenizer.pre_tokenize_str(shape.normalizer.normalize_str(line)):
            words[(*word[:-1], word[-1] + "</w>")] += 1
    merges = []
    while len(merges) < CLIP_MERGES:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        merged: Counter[tuple[str, ...]] = Counter()
        for word, count in words.items():
            parts, at = [], 0
            while at < len(word):
                here = word[at : at + 2] == best
                parts.append("".join(best) if here else word[at])
                at += 2 if here else 1
            merged[tuple(parts)] += count
        words = merged
    return merges


def clip_vocabulary(merges, end_first: bool):
    """The vocabulary as OpenAI numbers it. `end_first` gives the end of text the lower of the two last ids, so
    that pooling at the largest id and pooling at the end of text are different things."""
    alphabet = byte_alphabet()
    tokens = alphabet + [c + "</w>" for c in alphabet] + ["".join(m) for m in merges]
    tokens += [END, START] if end_first else [START, END]
    return {token: n for n, token in enumerate(tokens)}, merges


def clip_tokenizer(vocabulary, merges) -> Tokenizer:
    """`tokenizer.json` as `transformers` writes it for CLIP."""
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            unk_token=END,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.post_processor = processors.RobertaProcessing(
        sep=(END, vocabulary[END]), cls_token=(START, vocabulary[START]), add_prefix_space=False, trim_offsets=False
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([START, END])
    return tokenizer


# ---- files -------------------------------------------------------------------------------------------------


def write(directory: Path) -> dict:
    """Writes every form under `directory` and gives the tokenizers by name, for the answers."""
    for name in ["xlmr", "xlmr-sentencepiece", "xlmr-markers", "clip-vocab", "clip"]:
        (directory / name).mkdir(parents=True, exist_ok=True)
    model = train_sentencepiece()
    (directory / "xlmr-sentencepiece/sentencepiece.bpe.model").write_bytes(model)
    plain, marked = xlmr_tokenizer(model), xlmr_tokenizer(model, markers=True)
    plain.save(str(directory / "xlmr/tokenizer.json"), pretty=False)
    marked.save(str(directory / "xlmr-markers/tokenizer.json"), pretty=False)

    merges = train_clip_merges()
    vocabulary, _ = clip_vocabulary(merges, end_first=False)
    text = json.dumps(vocabulary, ensure_ascii=False)
    (directory / "clip-vocab/vocab.json").write_text(text, encoding="utf-8")
    lines = ["#version: 0.2"] + [" ".join(merge) for merge in merges]
    (directory / "clip-vocab/merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    swapped = clip_tokenizer(*clip_vocabulary(merges, end_first=True))
    swapped.save(str(directory / "clip/tokenizer.json"), pretty=False)
    return {
        "xlmr": plain,
        "xlmr-sentencepiece": Sentencepiece(model),
        "xlmr-markers": marked,
        "clip-vocab": clip_tokenizer(vocabulary, merges),
        "clip": swapped,
    }


class Sentencepiece:
    """sentencepiece itself under fairseq's numbering, the reference for the `.model` form."""

    def __init__(self, model: bytes):
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def ids(self, text: str) -> list[int]:
        unknown = self.processor.unk_id()
        return [3 if n == unknown else n + 1 for n in self.processor.encode(text)]

    def get_vocab_size(self) -> int:
        return self.processor.get_piece_size() + 2


def ids(tokenizer, text: str) -> list[int]:
    """The sub-tokens of one text by itself, without special tokens."""
    if isinstance(tokenizer, Sentencepiece):
        return tokenizer.ids(text)
    return tokenizer.encode(text, add_special_tokens=False).ids
