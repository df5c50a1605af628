"""What PyTorch makes of a checkpoint that `morelet-convert train task` has written, beside what Morelet answers.

    morelet-convert train task --kind ner … -o DIR
    morelet-convert model DIR -o it.weights --quantize f32
    morelet-convert bundle -o it.morelet --expert it:none:it.weights
    morelet predict it.morelet --input test.txt --detail full --device cpu > answers.jsonl
    python tests/reference/train_task.py DIR test.txt answers.jsonl [--context KIND]

The sentences are CoNLL or JSON lines, whose contexts of KIND are shown where it is given. Everything of the
checkpoint is read by its own formats: the encoder by `transformers`, the tokenizer by `tokenizers`, the rest from
the tensors; inputs, CRF and F1 are those of the other scripts here. Prints how far apart the two are, and ends with
1 where that is more than the tests allow of a trained checkpoint, with 2 where Morelet's F1 is not PyTorch's.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import XLMRobertaConfig, XLMRobertaModel

import chunks
from crf import Crf
from inputs import Options, build

WORST = 2e-4


def sentences(path: Path):
    """{"tokens", "gold", "subject", "object", "contexts"} of each sentence."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".jsonl", ".json", ".ndjson"):
        yield from (json.loads(line) for line in text.splitlines() if line.strip())
        return
    for block in text.split("\n\n"):
        lines = [line.split() for line in block.splitlines() if line.strip() and not line.startswith("IMGID:")]
        if lines:
            yield {"tokens": [line[0] for line in lines], "gold": [line[-1] for line in lines]}


class Expert:
    def __init__(self, home: Path):
        self.labels = json.loads((home / "labels.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(home / "tokenizer.json"))
        self.tokenizer.no_truncation()
        state = {name: tensor.double() for name, tensor in load_file(home / "model.safetensors").items()}
        config = XLMRobertaConfig(**json.loads((home / "config.json").read_text()))
        config._attn_implementation = "eager"
        self.encoder = XLMRobertaModel(config, add_pooling_layer=False).eval().double()
        prefix = "embedder.transformer_model."
        own = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        missing = set(self.encoder.load_state_dict(own, strict=False).missing_keys)
        assert not missing - {"embeddings.position_ids", "embeddings.token_type_ids"}, missing
        left = {name for name in state if not name.startswith(prefix)}
        self.head = [state[f"linear.{part}"].numpy() for part in ("weight", "bias")]
        left -= {"linear.weight", "linear.bias"}
        self.crf = None
        if "crf.transitions" in state:
            names = ("crf.start_transitions", "crf.transitions", "crf.end_transitions")
            self.crf, left = Crf(*(state[name].numpy() for name in names)), left - set(names)
        assert not left, f"nothing reads {left}"
        self.relation = self.head[0].shape[1] == 2 * config.hidden_size
        self.options = Options(limit=config.max_position_embeddings - 2)

    def answer(self, sentence, contexts):
        """Ids, and a distribution for each word that fits, or logits of the pair (None where a marker is lost)."""
        spans = [sentence["subject"], sentence["object"]] if self.relation else []
        built = build(self.tokenizer, sentence["tokens"], contexts, self.options, *spans)
        with torch.no_grad():
            hidden = self.encoder(torch.tensor([built.ids])).last_hidden_state[0].numpy()
        weight, bias = self.head
        if self.relation:
            if built.markers is None:
                return built.ids, None
            return built.ids, weight @ np.concatenate([hidden[place.start] for place in built.markers]) + bias
        emissions = hidden[[place.start for place in built.words]] @ weight.T + bias
        if self.crf:
            return built.ids, self.crf.marginals(emissions)
        exp = np.exp(emissions - emissions.max(axis=1, keepdims=True))
        return built.ids, exp / exp.sum(axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--context", default="none")
    args = parser.parse_args()
    torch.set_num_threads(1)
    expert = Expert(args.checkpoint)
    given = [json.loads(line) for line in args.answers.read_text(encoding="utf-8").splitlines()]
    golds, theirs, ours = [], [], []
    other_ids = other_labels = words = 0
    worst = 0.0
    asked = list(sentences(args.sentences))
    assert len(asked) == len(given), f"{len(asked)} sentences, {len(given)} answers"
    for sentence, answer in zip(asked, given):
        contexts = sentence.get("contexts", {}).get(args.context, []) if args.context != "none" else []
        ids, rows = expert.answer(sentence, contexts)
        (seen,) = answer["experts"].values()
        other_ids += ids != seen["input_ids"]
        if expert.relation:
            label = "None" if rows is None else expert.labels[int(rows.argmax())]
            labels, said = [label], [answer["relation"]["type"]]
            golds.append(sentence["gold"]), theirs.append(label), ours.append(said[0])
            got = seen.get("logits") if rows is not None else None
        else:
            labels = [expert.labels[y] for y in rows.argmax(axis=1)]
            labels += ["O"] * (len(sentence["tokens"]) - len(labels))
            said, got = answer["labels"], seen["marginals"]
            golds.append(sentence["gold"]), theirs.append(labels), ours.append(said)
        if rows is not None:
            worst = max(worst, float(np.abs(np.array(got) - rows).max()))
        words += len(labels)
        other_labels += sum(a != b for a, b in zip(labels, said, strict=True))
    scores = chunks.relation_scores if expert.relation else chunks.entity_scores
    f1 = [scores(golds, answers)["f1"] for answers in (ours, theirs)]
    what = "logit" if expert.relation else "marginal"
    print(f"{len(asked)} sentences, {words} labels: {other_ids} inputs with other ids, {other_labels} other labels")
    print(f"largest difference of a {what}: {worst:.3g}; F1 {f1[0]:.4f}, PyTorch's {f1[1]:.4f}")
    if other_ids or worst > WORST:
        sys.exit(1)
    if other_labels == 0 and f1[0] != f1[1]:
        sys.exit(2)


if __name__ == "__main__":
    main()
