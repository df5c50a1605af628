#!/usr/bin/env python3
"""Makes tests/data/golden: small random checkpoints in every layout, and the answers PyTorch gives.

    pip install -r requirements.txt
    python make.py [DIRECTORY [SEED]]

With another seed the weights are others; the tests run on them too:

    python make.py /tmp/golden 7
    MORELET_GOLDEN=/tmp/golden cargo test --release -p morelet-tests --test golden --test modules

    golden/
      tokenizers/NAME/            files of a vocabulary
      checkpoints/NAME/           config.json, labels.json, preprocessor_config.json
      checkpoints/NAME/FORM/      the weights in one file form (safetensors, sharded, bin, legacy, bf16, f16)
      gates/NAME.safetensors
      pictures/
      cases/NAME/                 case.json: the bundle to build; queries.jsonl and answers.jsonl
      hidden/NAME.json            hidden states of a few inputs
      clip/NAME.json              features of texts and pictures

A test puts a checkpoint together from `checkpoints/NAME`, one form and one tokenizer. The same seeds give the
same files; another version of torch may change a last digit, and then the tests still pass.
"""

import json
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import regex
import torch
from safetensors.torch import save_file

import answers
import checkpoints
import chunks
import crf
import fitted
import pictures
import queries
import vocabularies
from inputs import Options, build

torch.set_num_threads(1)
LIMIT = 64


def write_json(path: Path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")


def write_lines(path: Path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(v, ensure_ascii=False) + "\n" for v in values), encoding="utf-8")


class Golden:
    """The directory that is being made."""

    def __init__(self, root: Path):
        self.root = root
        self.tokenizers = vocabularies.write(root / "tokenizers")
        self.models = {}
        self.clips = {}
        self.gates = {}
        self.pictures = root / "pictures"
        pictures.write(self.pictures)

    # ---- checkpoints ----

    def xlmr(self, checkpoint, forms, centre=None, labels_file=True):
        """Writes a checkpoint in `forms`; `centre` names the tokenizer to balance its head with."""
        self.models[checkpoint.name] = checkpoint
        if centre:
            self.centre(checkpoint, self.expert(checkpoint.name, centre))
        home = self.root / "checkpoints" / checkpoint.name
        checkpoints.write_config(checkpoint, home, labels_file)
        self.forms(checkpoint.state, home, forms)

    def centre(self, checkpoint, expert):
        """Moves the bias of a random head so that the committed queries get many labels and not one."""
        if checkpoint.head.in_features == checkpoint.encoder.config.hidden_size:
            built = [build(expert.tokenizer, words, contexts, expert.options) for _, words, contexts in queries.NER]
            rows = np.concatenate([expert.words(b) for b in built])
        else:
            built = [build(expert.tokenizer, w, c, expert.options, s, o) for _, w, s, o, c in queries.RE]
            rows = np.array([expert.pair(b) for b in built if b.markers])
        with torch.no_grad():
            mean = torch.tensor(rows.mean(axis=0)).float()
            checkpoint.encoder.float()
            bias = checkpoint.head.bias
            # In place, for the state that is written shares it; and short enough for every float type.
            bias.copy_((bias - checkpoint.head.weight @ mean).bfloat16().float())

    def forms(self, state, home, forms):
        assert checkpoints.finite(state)
        writers = {
            "safetensors": lambda d: checkpoints.safetensors(state, d),
            "sharded": lambda d: checkpoints.sharded(state, d),
            "bin": lambda d: checkpoints.pytorch_bin(state, d),
            "legacy": lambda d: checkpoints.pytorch_bin(state, d, legacy=True),
            "bf16": lambda d: checkpoints.safetensors(state, d, torch.bfloat16),
            "f16": lambda d: checkpoints.safetensors(state, d, torch.float16),
            "bin-bf16": lambda d: checkpoints.pytorch_bin(state, d, dtype=torch.bfloat16),
        }
        for form in forms:
            writers[form](home / form)

    def clip(self, checkpoint, tokenizer, forms):
        self.clips[checkpoint.name] = (checkpoint, tokenizer)
        home = self.root / "checkpoints" / checkpoint.name
        checkpoints.write_config(checkpoint, home, labels_file=False)
        write_json(home / "preprocessor_config.json", checkpoint.preprocessor)
        self.forms(checkpoint.state, home, forms)

    def gate(self, name, rows, width):
        self.gates[name] = checkpoints.gate(name, rows, width)
        (self.root / "gates").mkdir(exist_ok=True)
        save_file(self.gates[name], self.root / "gates" / f"{name}.safetensors", metadata={"format": "pt"})

    # ---- cases ----

    def expert(self, checkpoint, tokenizer, **options):
        options.setdefault("limit", LIMIT)
        return answers.Expert(self.models[checkpoint], self.tokenizers[tokenizer], Options(**options))

    def described(self, name, context, checkpoint, tokenizer, form, options):
        """An expert in case.json, its input options as arguments of `morelet-convert model`."""
        args = []
        if options.get("pooling"):
            args += ["--pooling", options["pooling"]]
        if options.get("separator"):
            args += ["--separator", ",".join(map(str, options["separator"]))]
        if options.get("limit"):
            args += ["--max-length", str(options["limit"])]
        return {
            "name": name,
            "context": context,
            "checkpoint": checkpoint,
            "form": form,
            "tokenizer": tokenizer,
            "args": args,
        }

    def case(self, name, described, asked, answered, clip=None, gate=None, average=False):
        home = self.root / "cases" / name
        clip_part = None
        if clip:
            checkpoint, tokenizer = self.clips[clip]
            form = sorted(p.name for p in (self.root / "checkpoints" / clip).iterdir() if p.is_dir())[0]
            clip_part = {"checkpoint": clip, "form": form, "tokenizer": tokenizer, "args": []}
        write_json(home / "case.json", {"experts": described, "clip": clip_part, "gate": gate, "average": average})
        write_lines(home / "queries.jsonl", asked)
        write_lines(home / "answers.jsonl", answered)

    def ner_case(self, name, checkpoint, tokenizer, form, **options):
        expert = self.expert(checkpoint, tokenizer, **options)
        asked, answered = [], []
        special = [] if tokenizer == "xlmr-sentencepiece" else queries.NER_SPECIAL
        for id_, words, contexts in queries.NER + special:
            asked.append({"id": id_, "tokens": words, "contexts": {"text": contexts}})
            answered.append(fused_ner(id_, {"text": expert}, words, {"text": contexts}))
        self.case(name, [self.described("text", "text", checkpoint, tokenizer, form, options)], asked, answered)

    def re_case(self, name, checkpoint, tokenizer, form, **options):
        expert = self.expert(checkpoint, tokenizer, **options)
        asked, answered = [], []
        for id_, words, subject, object_, contexts in queries.RE:
            spans = {"subject": subject, "object": object_}
            asked.append({"id": id_, "tokens": words, **spans, "contexts": {"text": contexts}})
            answered.append(fused_re(id_, {"text": expert}, words, spans, {"text": contexts}))
        self.case(name, [self.described("text", "text", checkpoint, tokenizer, form, options)], asked, answered)

    def two_experts(self, name, parts, clip=None, gate=None, relation=False):
        """`parts`: (name, context, checkpoint, tokenizer, form) of both experts; the contexts of the queries go to
        the first and the second under their names."""
        experts = {part[0]: self.expert(part[2], part[3]) for part in parts}
        kinds = dict(zip(["text", "image"], experts))
        seeing = answers.Clip(self.clips[clip][0], self.tokenizers[self.clips[clip][1]]) if clip else None
        asked, answered = [], []
        for query in queries.FUSED_RE if relation else queries.FUSED:
            id_, words, *spans, contexts, picture = query
            contexts = {kinds[kind]: texts for kind, texts in contexts.items()}
            spans = {"subject": spans[0], "object": spans[1]} if relation else {}
            line = {"id": id_, "tokens": words, **spans, "contexts": contexts}
            if picture:
                line["image"] = f"../../pictures/{picture}"
            asked.append(line)
            features = None
            if seeing and picture:
                features = (seeing.text(" ".join(words)), seeing.image(self.pictures / picture))
            gating = (self.gates[gate], features) if gate and features else None
            if relation:
                answer = fused_re(id_, experts, words, spans, contexts, gating)
            else:
                answer = fused_ner(id_, experts, words, contexts, gating)
            if features:
                answer["clip_text"], answer["clip_image"] = (answers.rounded(f) for f in features)
            answered.append(answer)
        described = [self.described(*part[:4], part[4], {}) for part in parts]
        self.case(name, described, asked, answered, clip, gate, average=gate is None)

    # ---- modules ----

    def hidden(self, checkpoint, tokenizer, form, **options):
        expert = self.expert(checkpoint, tokenizer, **options)
        found = []
        for id_, words, contexts in queries.NER[:7]:
            built = build(expert.tokenizer, words, contexts, expert.options)
            found.append({"id": id_, "ids": built.ids, "hidden": answers.rounded(expert.hidden(built.ids), 7)})
        write_json(
            self.root / "hidden" / f"{checkpoint}.json",
            {"checkpoint": checkpoint, "form": form, "tokenizer": tokenizer, "inputs": found},
        )

    def features(self, name):
        checkpoint, tokenizer = self.clips[name]
        seeing = answers.Clip(checkpoint, self.tokenizers[tokenizer])
        texts = [
            {"text": text, "ids": seeing.text_ids(text), "features": answers.rounded(seeing.text(text))}
            for text in queries.CLIP_TEXTS
        ]
        images = [
            {"image": path.name, "features": answers.rounded(seeing.image(path))}
            for path in sorted(self.pictures.iterdir())
        ]
        write_json(self.root / "clip" / f"{name}.json", {"tokenizer": tokenizer, "texts": texts, "images": images})


# ---- answers to whole queries ------------------------------------------------------------------------------


def written_expert(answer):
    return {k: answers.rounded(v) if k in ("emissions", "marginals", "logits") and v is not None else v for k, v in answer.items()}


def fused_ner(id_, experts, words, contexts, gating=None):
    names = next(iter(experts.values())).checkpoint.labels
    ran, truncated = {}, False
    for name, expert in experts.items():
        if name in contexts:
            ran[name], cut = expert.ner(words, contexts[name])
            truncated |= cut
    answer = {"id": id_}
    g = 0.5
    if len(ran) == 2 and gating:
        gate, (text, image) = gating
        g = answers.gate_values(gate, text, image, len(names))
        answer["gate_text"] = answers.rounded(g)
    rows = answers.mixture([a["marginals"] for a in ran.values()], g)
    predicted = rows.argmax(axis=1) if len(rows) else []
    labels = [names[y] for y in predicted] + ["O"] * (len(words) - len(rows))
    if len(ran) == 2 and gating:
        first, second = experts
        p = float(np.mean([g[y] for y in predicted]))
        answer["gate"] = answers.rounded_map({first: p, second: 1 - p})
    answer["labels"] = labels
    answer["entities"] = answers.named_entities(labels, rows, names, words)
    answer["mixture"] = answers.rounded(rows)
    answer["experts"] = {name: written_expert(a) for name, a in ran.items()}
    answer["noted"] = noted(truncated, experts, ran, gating)
    return answer


def fused_re(id_, experts, words, spans, contexts, gating=None):
    names = next(iter(experts.values())).checkpoint.labels
    ran, truncated = {}, False
    for name, expert in experts.items():
        if name in contexts:
            ran[name], cut = expert.re(words, spans["subject"], spans["object"], contexts[name])
            truncated |= cut
    answer = {"id": id_, "noted": noted(truncated, experts, ran, gating)}
    answer["experts"] = {name: written_expert(a) for name, a in ran.items()}
    if any(a["logits"] is None for a in ran.values()):
        answer["relation"] = {"type": "None"}
        return answer
    g = 0.5
    if len(ran) == 2 and gating:
        gate, (text, image) = gating
        g = answers.gate_values(gate, text, image, len(names))
        answer["gate_text"] = answers.rounded(g)
    mixed = answers.mixture([answers.softmax(a["logits"]) for a in ran.values()], g)
    best = int(mixed.argmax())
    if len(ran) == 2 and gating:
        first, second = experts
        answer["gate"] = answers.rounded_map({first: g[best], second: 1 - g[best]})
    answer["relation"] = {"type": names[best], "score": answers.rounded(mixed[best] / mixed.sum())}
    answer["mixture"] = answers.rounded(mixed)
    return answer


def noted(truncated, experts, ran, gating):
    """What the result must say in its notes, one word of each that must be found there."""
    notes = ["truncated"] if truncated else []
    notes += [name for name in experts if name not in ran]
    return notes


# ---- everything --------------------------------------------------------------------------------------------


def make(root: Path):
    crf.check()
    golden = Golden(root)
    v = {name: tokenizer.get_vocab_size() for name, tokenizer in golden.tokenizers.items()}
    every = ["safetensors", "sharded", "bin", "legacy", "bf16", "f16", "bin-bf16"]

    # Experts.
    golden.xlmr(checkpoints.adaseq("ner-crf", checkpoints.BIOES, vocabulary=v["xlmr"], grid=True), every, "xlmr")
    image = checkpoints.adaseq("ner-image", checkpoints.BIOES, vocabulary=v["xlmr"], hidden_size=24, num_attention_heads=3)
    golden.xlmr(image, ["bin"], "xlmr")
    golden.xlmr(
        checkpoints.adaseq(
            "re-norm", checkpoints.RELATIONS, relation=True, vocabulary=v["xlmr"], hidden_size=48, intermediate_size=56
        ),
        ["bin"],
        "xlmr",
    )
    golden.xlmr(
        checkpoints.adaseq(
            "re-image", checkpoints.RELATIONS, relation=True, norm=False, vocabulary=v["xlmr-markers"], num_hidden_layers=1
        ),
        ["legacy"],
        "xlmr-markers",
    )
    plain = checkpoints.adaseq(
        "re-plain", checkpoints.PLAIN_RELATIONS, relation=True, norm=False, vocabulary=v["xlmr-markers"]
    )
    plain.config["id2label"] = {str(n): label for n, label in enumerate(plain.labels)}
    golden.xlmr(plain, ["safetensors"], "xlmr-markers", labels_file=False)
    softmax = checkpoints.token_classification(
        "softmax", checkpoints.BIO, vocabulary=v["xlmr-sentencepiece"], hidden_size=40, num_attention_heads=5
    )
    golden.xlmr(softmax, ["sharded"], "xlmr-sentencepiece", labels_file=False)
    golden.xlmr(checkpoints.bare("bare", vocabulary=v["xlmr"]), ["bin"], labels_file=False)
    golden.xlmr(checkpoints.bare("bare-crf", checkpoints.BIO, vocabulary=v["xlmr"]), ["safetensors"], "xlmr")
    learned = checkpoints.adaseq("ner-fitted", checkpoints.BIOES, vocabulary=v["xlmr"])
    fitted.fit(learned, golden.tokenizers["xlmr"], Options(LIMIT))
    golden.xlmr(learned, ["bin"])

    # CLIP, one as OpenAI's first release on the Hub, one as later ones; and gates over them.
    golden.clip(
        checkpoints.clip(
            "clip-eos-2",
            v["clip-vocab"],
            2,
            {"hidden_size": 32, "num_attention_heads": 4},
            {"hidden_size": 24, "num_attention_heads": 3, "image_size": 224, "patch_size": 32},
            20,
            {
                "crop_size": 224,
                "do_center_crop": True,
                "do_normalize": True,
                "do_resize": True,
                "feature_extractor_type": "CLIPFeatureExtractor",
                "image_mean": [0.48145466, 0.4578275, 0.40821073],
                "image_std": [0.26862954, 0.26130258, 0.27577711],
                "resample": 3,
                "size": 224,
            },
            without={"hidden_act", "layer_norm_eps", "max_position_embeddings", "image_size", "patch_size"},
        ),
        "clip-vocab",
        ["bin"],
    )
    vocabulary = golden.tokenizers["clip"].get_vocab()
    golden.clip(
        checkpoints.clip(
            "clip-eos",
            v["clip"],
            vocabulary[vocabularies.END],
            {"hidden_size": 40, "num_attention_heads": 5, "hidden_act": "gelu", "max_position_embeddings": 40},
            {"hidden_size": 32, "num_attention_heads": 2, "image_size": 64, "patch_size": 16, "hidden_act": "gelu"},
            24,
            {
                "crop_size": {"height": 64, "width": 64},
                "do_convert_rgb": True,
                "image_mean": [0.5, 0.45, 0.4],
                "image_std": [0.25, 0.3, 0.2],
                "resample": 3,
                "rescale_factor": 1 / 255,
                "size": {"shortest_edge": 72},
            },
        ),
        "clip",
        ["safetensors"],
    )
    golden.gate("one-row", 1, 48)
    golden.gate("row-per-label", len(checkpoints.BIOES), 48)
    golden.gate("row-per-relation", len(checkpoints.RELATIONS), 40)

    # Cases.
    golden.ner_case("ner", "ner-crf", "xlmr", "safetensors")
    golden.ner_case("ner-pooling-last", "ner-crf", "xlmr", "safetensors", pooling="last")
    golden.ner_case("ner-pooling-mean", "ner-crf", "xlmr", "safetensors", pooling="mean")
    golden.ner_case("ner-separator", "ner-crf", "xlmr", "safetensors", separator=[2, 2, 601])
    golden.ner_case("ner-max-length", "ner-crf", "xlmr", "safetensors", limit=24)
    golden.ner_case("softmax", "softmax", "xlmr-sentencepiece", "sharded")
    golden.ner_case("bare-crf", "bare-crf", "xlmr", "safetensors")
    golden.re_case("re-norm", "re-norm", "xlmr", "bin")
    golden.re_case("re-plain", "re-plain", "xlmr-markers", "safetensors")
    golden.re_case("re-pooling-mean", "re-norm", "xlmr", "bin", pooling="mean")
    text, picture = ("text", "text", "ner-crf", "xlmr", "safetensors"), ("image", "image", "ner-image", "xlmr", "bin")
    golden.two_experts("ner-gate-one-row", [text, picture], "clip-eos", "one-row")
    golden.two_experts("ner-gate-row-per-label", [text, picture], "clip-eos", "row-per-label")
    # The gate weighs the expert that comes first, whatever its name.
    golden.two_experts("ner-gate-image-first", [("b", "given", *picture[2:]), ("a", "given", *text[2:])], "clip-eos", "row-per-label")
    golden.two_experts("ner-average", [text, picture])
    text, picture = ("text", "text", "re-norm", "xlmr", "bin"), ("image", "image", "re-image", "xlmr-markers", "legacy")
    golden.two_experts("re-gate", [text, picture], "clip-eos-2", "row-per-relation", relation=True)
    golden.two_experts("re-average", [text, picture], relation=True)

    # Modules.
    golden.hidden("bare", "xlmr", "bin")
    golden.hidden("softmax", "xlmr-sentencepiece", "sharded")
    golden.hidden("re-norm", "xlmr", "bin")
    golden.features("clip-eos-2")
    golden.features("clip-eos")
    eval_cases(golden)
    texts(golden)


def eval_cases(golden):
    """Sentences with gold labels, what PyTorch predicts for them, and conlleval's counts of it."""
    expert = golden.expert("ner-fitted", "xlmr")
    asked, answered, gold, marginal, viterbi = [], [], [], [], []
    for n, (words, labels) in enumerate(fitted.examples(240)):
        answer, _ = expert.ner(words, [])
        asked.append({"id": str(n), "tokens": words, "contexts": {"text": []}, "gold": labels})
        answered.append({"id": str(n), **{k: answer[k] for k in ("input_ids", "labels", "viterbi")}})
        gold.append(labels)
        marginal.append(answer["labels"])
        viterbi.append(answer["viterbi"])
    golden.case("fitted", [golden.described("text", "text", "ner-fitted", "xlmr", "bin", {})], asked, answered)
    scores = {"marginals": chunks.entity_scores(gold, marginal), "viterbi": chunks.entity_scores(gold, viterbi)}
    write_json(golden.root / "cases/fitted/scores.json", {**scores, "n": len(gold)})
    conll = "".join("".join(f"{w}\t{y}\n" for w, y in zip(q["tokens"], q["gold"])) + "\n" for q in asked)
    (golden.root / "cases/fitted/gold.conll").write_text(conll, encoding="utf-8")
    print("fitted:", {k: round(v["f1"], 2) for k, v in scores.items()}, "words", sum(map(len, gold)))

    for case in ("re-norm", "re-plain"):
        home = golden.root / "cases" / case
        found = [json.loads(line) for line in (home / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
        names = golden.models[case].labels
        predicted = [a["relation"]["type"] for a in found]
        gold = [p if n % 3 else names[(n // 3) % len(names)] for n, p in enumerate(predicted)]
        asked = [json.loads(line) for line in (home / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
        write_lines(home / "gold.jsonl", [{**q, "gold": y} for q, y in zip(asked, gold, strict=True)])
        write_json(home / "scores.json", chunks.relation_scores(gold, predicted))


def texts(golden):
    """Running text: its words by UAX #29 (as the `regex` package finds them) with their offsets."""
    found = []
    for text in queries.TEXTS:
        words = []
        edges = sorted({0, len(text), *(m.start() for m in regex.finditer(r"(?w)\b", text))})
        for start, end in zip(edges, edges[1:]):
            if not text[start:end].isspace():
                to_bytes = lambda n: len(text[:n].encode())
                words.append({"word": text[start:end], "chars": [start, end], "bytes": [to_bytes(start), to_bytes(end)]})
        found.append({"text": text, "words": words})
    write_json(golden.root / "texts.json", found)


if __name__ == "__main__":
    home = Path(__file__).resolve().parent.parent / "data" / "golden"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else home
    checkpoints.SEED = sys.argv[2] if len(sys.argv) > 2 else ""
    shutil.rmtree(target, ignore_errors=True)
    make(target)
    size = sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
    print(f"{target}: {size / 1e6:.2f} MB")
