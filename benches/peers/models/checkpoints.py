"""Full-size checkpoints with random weights, as people have them: the same numbers for every contender.

No hub and no download: only configurations, `transformers`' own initialization and a seed. The tokenizer is made up too, a
Unigram of the right number of pieces, so that `morelet-convert model` takes the directory as it is.
"""

import json
import pathlib
import random

SEED = 20222  # of weights, ids and pictures
VOCABULARY = 250_002
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-MISC", "I-MISC"]

SIZES = {
    "xlm-r-large": dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
    "xlm-r-base": dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072),
}


def checkpoint(work, name):
    """The directory of a checkpoint, made if it is not there."""
    target = work / name
    if (target / "done").exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    import torch

    torch.manual_seed(SEED)
    if name == "clip":
        make_clip(target)
    else:
        make_xlmr(target, SIZES[name])
    (target / "done").touch()
    return target


def make_xlmr(target, size):
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification

    config = XLMRobertaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5,
        pad_token_id=1, bos_token_id=0, eos_token_id=2,
        id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)}, **size,
    )
    model = XLMRobertaForTokenClassification(config)
    model.save_pretrained(target, safe_serialization=True)
    (target / "tokenizer.json").write_text(json.dumps(unigram_tokenizer()), encoding="utf-8")


def make_clip(target):
    """CLIP ViT-B/32 as OpenAI published it: the configuration's defaults."""
    from transformers import CLIPConfig, CLIPModel

    CLIPModel(CLIPConfig()).save_pretrained(target, safe_serialization=True)
    (target / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=1))
    (target / "tokenizer.json").write_text(json.dumps(byte_tokenizer()), encoding="utf-8")


PREPROCESSOR = {
    "crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 224}, "resample": 3,
    "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "CLIPImageProcessor", "rescale_factor": 1 / 255,
}


def unigram_tokenizer():
    """A tokenizer.json with XLM-R's shape: four special pieces first, `<mask>` last, and made-up words between."""
    rng = random.Random(SEED)
    pieces = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -3.0]]
    seen = {"▁"}
    for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"()-#@&/":
        pieces.append([letter, -9.0])
        seen.add(letter)
    while len(pieces) < VOCABULARY - 1:
        word = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.randint(1, 5)))
        piece = ("▁" if rng.random() < 0.6 else "") + word
        if piece not in seen:
            seen.add(piece)
            pieces.append([piece, -6.0 - len(pieces) / 100_000])
    pieces.append(["<mask>", 0.0])
    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": VOCABULARY - 1}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": token, "single_word": False, "lstrip": token == "<mask>", "rstrip": False,
             "normalized": False, "special": True}
            for token, i in special.items()
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        ]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {t: {"id": t, "ids": [special[t]], "tokens": [t]} for t in ("<s>", "</s>")},
        },
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": False},
    }


CONSONANTS = list("bcdfghjklmnpqrstvwxz") + ["ch", "sh", "th", "st", "tr", "br"]
VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ou", "en", "ar"]


def byte_tokenizer():
    """A tokenizer.json with CLIP's shape (49,408 pieces, `</w>` at the end of a word) and only made-up merges."""
    letters = [chr(c) for c in byte_characters()]
    words = letters + [letter + "</w>" for letter in letters]
    merges, seen = [], set(words)
    rng = random.Random(SEED)
    while len(words) < 49_406:
        left = rng.choice(words)
        right = rng.choice(words)
        if left.endswith("</w>") or left + right in seen or len(left + right) > 16:
            continue
        seen.add(left + right)
        merges.append(f"{left} {right}")
        words.append(left + right)
    special = ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: i for i, word in enumerate(words + special)}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": vocabulary[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": True, "special": True}
            for token in special
        ],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"}, "behavior": "Removed", "invert": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]},
        "post_processor": {"type": "RobertaProcessing", "sep": [special[1], 49_407], "cls": [special[0], 49_406], "trim_offsets": False, "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": special[1], "continuing_subword_prefix": "",
                  "end_of_word_suffix": "</w>", "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": merges},
    }


def byte_characters():
    """The 256 characters that stand for bytes in a byte-level BPE."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    return printable + list(range(256, 256 + 256 - len(printable)))


def input_ids(tokens, seed=SEED):
    """`<s>`, random pieces, `</s>`: as many as asked for."""
    rng = random.Random(seed * 1000 + tokens)
    return [0] + [rng.randrange(4, VOCABULARY - 1) for _ in range(tokens - 2)] + [2]


def photographs(work, images=None, count=16):
    """JPEG files: those of a directory, or made-up ones of 640 × 480 that are as costly to decode as a photograph."""
    if images:
        found = sorted(p for p in pathlib.Path(images).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
        if not found:
            raise SystemExit(f"{images}: no JPEG file")
        return found[:count]
    import numpy
    from PIL import Image

    target = work / "pictures"
    target.mkdir(parents=True, exist_ok=True)
    files = [target / f"{i:02}.jpg" for i in range(count)]
    for i, file in enumerate(files):
        if not file.exists():
            rng = numpy.random.default_rng(SEED + i)
            # Noise at several scales: the spectrum of photographs falls off like this.
            layers = [
                numpy.asarray(Image.fromarray(rng.integers(0, 256, (480 // s + 1, 640 // s + 1, 3), dtype=numpy.uint8)).resize((640, 480), Image.BICUBIC), dtype=float) * s
                for s in (1, 4, 16, 64)
            ]
            picture = sum(layers) / (1 + 4 + 16 + 64)
            Image.fromarray(picture.clip(0, 255).astype(numpy.uint8)).save(file, quality=90)
    return files
