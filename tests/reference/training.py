"""What PyTorch says of the losses, gradients and steps of training, in float64.

    python tests/reference/training.py

writes tests/data/training/*.json, which the tests beside models/src/train/*.rs read. The models are tiny and their
weights a formula: value i of the k-th tensor (in the order of a `.weights` file) is sin(k + 0.37 i²) / 2, of a layer
norm's weight that plus 1. The encoders and CLIP are those of `transformers`; the CRF is the sum over all paths,
one by one.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPConfig, CLIPModel, XLMRobertaConfig, XLMRobertaModel

from clip_formula import names as clip_names

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
OUT = Path(__file__).parent.parent / "data" / "training"

D, LAYERS, T, PAD = 8, 2, 3, 1
XLMR = {
    "vocab_size": 14, "hidden_size": D, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
    "intermediate_size": 12, "max_position_embeddings": 14, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
    "hidden_act": "gelu", "pad_token_id": PAD, "bos_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
LAYER = [
    ("attention.query", "attention.self.query"), ("attention.key", "attention.self.key"),
    ("attention.value", "attention.self.value"), ("attention.output", "attention.output.dense"),
    ("attention.norm", "attention.output.LayerNorm"), ("ffn.up", "intermediate.dense"),
    ("ffn.down", "output.dense"), ("ffn.norm", "output.LayerNorm"),
]  # fmt: skip
# The tensors whose gradients are written down; the norm over all is too.
LOOKED_AT = [
    "embeddings.word", "embeddings.position", "embeddings.norm.weight", "layers.0.attention.query.weight",
    "layers.0.attention.value.bias", "layers.1.ffn.norm.bias", "head.norm.weight", "head.weight", "head.bias",
    "crf.start", "crf.transitions", "crf.end",
]  # fmt: skip
CLIP_LOOKED_AT = [
    "text_model.embeddings.token_embedding.weight", "text_model.encoder.layers.1.self_attn.q_proj.weight",
    "text_projection.weight", "vision_model.embeddings.class_embedding",
    "vision_model.encoder.layers.0.layer_norm1.weight", "visual_projection.weight",
]  # fmt: skip


def formula(k, shape, one):
    values = np.sin(k + 0.37 * np.arange(int(np.prod(shape)), dtype=np.float64) ** 2) / 2 + one
    # As single precision holds them.
    return torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(tuple(shape))


def rounded(tensor):
    return [float(f"{x:.7g}") for x in tensor.detach().reshape(-1).tolist()]


def write(name, value):
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(value) + "\n")


def meta(kind, architecture, labels):
    return {"kind": kind, "producer": "a test", "identity": "0" * 64, "quantization": "f32",
            "architecture": architecture, "labels": labels}  # fmt: skip


# ---- experts -----------------------------------------------------------------------------------------------


class Expert:
    """An XLM-R with its head. `parameters` has every tensor by the name that a `.weights` file gives it."""

    def __init__(self, relation=False, crf=False, pooling="first", head_norm=False):
        self.relation, self.pooling = relation, pooling
        config = XLMRobertaConfig(**XLMR, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        config._attn_implementation = "eager"
        self.encoder = XLMRobertaModel(config, add_pooling_layer=False)
        own = dict(self.encoder.named_parameters())
        named = {
            "embeddings.word": own["embeddings.word_embeddings.weight"],
            "embeddings.position": own["embeddings.position_embeddings.weight"],
            "embeddings.token_type": own["embeddings.token_type_embeddings.weight"],
        }
        places = [("embeddings.norm", "embeddings.LayerNorm")]
        places += [(f"layers.{n}.{a}", f"encoder.layer.{n}.{b}") for n in range(LAYERS) for a, b in LAYER]
        for ours, theirs in places:
            for part in ("weight", "bias"):
                named[f"{ours}.{part}"] = own[f"{theirs}.{part}"]
        width = 2 * D if relation else D
        shapes = {"head.norm.weight": [width], "head.norm.bias": [width]} if head_norm else {}
        shapes |= {"head.weight": [T, width], "head.bias": [T]}
        shapes |= {"crf.start": [T], "crf.transitions": [T, T], "crf.end": [T]} if crf else {}
        named |= {name: torch.nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()}
        for k, (name, parameter) in enumerate(named.items()):
            parameter.data = formula(k, parameter.shape, float(name.endswith("norm.weight")))
        self.parameters = named
        xlmr = {**XLMR, "unk_token_id": 3, "max_length": 12, "pooling": pooling, "separator": [2], "crf": crf,
                "head_norm": head_norm}  # fmt: skip
        self.meta = meta("re" if relation else "ner", {"xlmr": xlmr}, ["O", "B-X", "I-X"])

    def emissions(self, inputs):
        """[w, t] of each input; they run together, padded."""
        longest = max(len(one["ids"]) for one in inputs)
        ids = torch.tensor([one["ids"] + [PAD] * (longest - len(one["ids"])) for one in inputs])
        mask = torch.tensor([[int(i < len(one["ids"])) for i in range(longest)] for one in inputs])
        hidden = self.encoder(ids, attention_mask=mask).last_hidden_state
        p, found = self.parameters, []
        for rows, one in zip(hidden, inputs):
            pool = {"first": lambda x: x[0], "last": lambda x: x[-1], "mean": lambda x: x.mean(0)}[self.pooling]
            units = torch.stack([pool(rows[a:b]) for a, b in (one["markers"] if self.relation else one["words"])])
            units = units.reshape(1, -1) if self.relation else units
            if "head.norm.weight" in p:
                units = F.layer_norm(units, units.shape[-1:], p["head.norm.weight"], p["head.norm.bias"])
            found.append(units @ p["head.weight"].T + p["head.bias"])
        return found

    def paths(self, emissions, temperature=1.0):
        """Every path of labels of a sentence, and the logarithm of its probability."""
        p = self.parameters
        paths = list(itertools.product(range(T), repeat=len(emissions)))
        scores = []
        for path in paths:
            score = p["crf.start"][path[0]] + p["crf.end"][path[-1]]
            score = score + sum(emissions[i, y] for i, y in enumerate(path))
            scores.append(score + sum(p["crf.transitions"][a, b] for a, b in zip(path, path[1:])))
        return paths, F.log_softmax(torch.stack(scores) / temperature, dim=0)

    def log_distributions(self, emissions, temperature):
        if "crf.start" not in self.parameters:
            return F.log_softmax(emissions / temperature, dim=1)
        paths, log = self.paths(emissions, temperature)
        having = lambda i, y: [k for k, path in enumerate(paths) if path[i] == y]
        return torch.stack([
            torch.stack([torch.logsumexp(log[having(i, y)], dim=0) for y in range(T)]) for i in range(len(emissions))
        ])

    def loss(self, examples, cross_view=0.0, temperature=1.0):
        emissions = self.emissions([one["input"] for one in examples])
        golds = [one["gold"] for one in examples]
        if "crf.start" in self.parameters:
            likelihoods = []
            for e, gold in zip(emissions, golds):
                paths, log = self.paths(e)
                likelihoods.append(log[paths.index(tuple(gold))])
            loss = -torch.stack(likelihoods).mean()
        else:
            loss = F.cross_entropy(torch.cat(emissions), torch.tensor(sum(golds, [])))
        if cross_view:
            plain = self.emissions([one["plain"] for one in examples])
            apart = 0.0
            for seen, alone in zip(emissions, plain):
                q = self.log_distributions(seen, temperature).detach()
                p = self.log_distributions(alone, temperature)
                apart = apart + F.kl_div(p, q, reduction="sum", log_target=True)
            loss = loss + cross_view * temperature**2 * apart / len(examples)
        return loss


def taken(ids, words, gold, plain, markers=None):
    """An example: with contexts, and how many of its ids are the sentence alone."""
    def one(ids):
        return {"ids": ids, "words": words, "markers": markers}
    return {"input": one(ids), "plain": one([*ids[:plain], 2]), "gold": gold}  # fmt: skip


SENTENCES = [
    taken([0, 5, 6, 7, 8, 2, 9, 10, 2], [[1, 2], [2, 4], [4, 5]], [0, 1, 2], 5),
    taken([0, 9, 2], [[1, 2]], [1], 2),
    taken([0, 4, 5, 10, 11, 12, 13, 4, 2, 6, 6, 2], [[1, 3], [3, 4], [4, 5], [5, 7], [7, 8]], [2, 0, 0, 1, 1], 8),
]
PAIRS = [
    taken([0, 4, 8, 5, 9, 6, 11, 2, 7, 2], [[1, 2], [3, 4], [5, 6]], [2], 7, [[2, 3], [4, 5]]),
    taken([0, 8, 10, 9, 12, 13, 2], [[2, 3], [4, 6]], [0], 6, [[3, 4], [1, 2]]),
]


def gradients(parameters, loss, looked_at):
    for parameter in parameters.values():
        parameter.grad = None
    loss.backward()
    grads = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    norm = torch.sqrt(sum((g**2).sum() for g in grads.values()))
    return {"loss": float(loss.detach()), "norm": float(norm),
            "gradients": {name: rounded(grads[name]) for name in looked_at if name in grads}}  # fmt: skip


def experts():
    cases = []
    for name, options, examples, loss in [
        ("crf", {"crf": True}, SENTENCES, {}),
        ("softmax over words, mean pooling", {"pooling": "mean", "head_norm": True}, SENTENCES, {}),
        ("relation", {"relation": True, "head_norm": True}, PAIRS, {}),
        ("crf, cross-view", {"crf": True, "pooling": "last"}, SENTENCES, {"cross_view": 0.7, "temperature": 2.0}),
        ("softmax, cross-view", {}, SENTENCES, {"cross_view": 1.3, "temperature": 2.0}),
        ("relation, cross-view", {"relation": True}, PAIRS, {"cross_view": 0.5, "temperature": 2.0}),
    ]:
        expert = Expert(**options)
        got = gradients(expert.parameters, expert.loss(examples, **loss), LOOKED_AT)
        loss = {"cross_view": loss.get("cross_view", 0.0), "temperature": loss.get("temperature", 1.0)}
        cases.append({"name": name, "meta": expert.meta, "examples": examples, **loss, **got})
    write("experts", cases)


def steps():
    """AdamW over three batches: one for the first step, two for the second, whose gradients are averaged."""
    expert = Expert(crf=True)
    vector = lambda name: name.endswith(".bias") or "norm" in name or name.startswith("crf.")
    decay, clip, rates = 0.3, 0.8, [0.01, 0.006]
    groups = [
        {"params": [p for name, p in expert.parameters.items() if not vector(name)], "weight_decay": decay, "times": 1},
        {"params": [p for name, p in expert.parameters.items() if vector(name) and "crf" not in name], "weight_decay": 0.0,
         "times": 1},
        {"params": [p for name, p in expert.parameters.items() if "crf" in name], "weight_decay": 0.0, "times": 5},
    ]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.999), eps=1e-8)
    batches, norms = [[SENTENCES], [SENTENCES[:2], SENTENCES[2:]]], []
    for step, rate in zip(batches, rates):
        optimizer.zero_grad()
        for batch in step:
            (expert.loss(batch) / len(step)).backward()
        for group in optimizer.param_groups:
            group["lr"] = rate * group["times"]
        norms.append(float(torch.nn.utils.clip_grad_norm_(expert.parameters.values(), clip)))
        optimizer.step()
    assert norms[0] > clip
    moments = {name: optimizer.state[expert.parameters[name]] for name in ("crf.transitions", "head.weight")}
    write("steps", {
        "meta": expert.meta, "examples": SENTENCES, "weight_decay": decay, "clip": clip, "rates": rates, "norms": norms,
        "values": {name: rounded(expert.parameters[name]) for name in LOOKED_AT if name in expert.parameters},
        "first": {name: rounded(state["exp_avg"]) for name, state in moments.items()},
        "second": {name: rounded(state["exp_avg_sq"]) for name, state in moments.items()},
    })  # fmt: skip


# ---- the gate ----------------------------------------------------------------------------------------------


def observations():
    random = np.random.default_rng(2022)
    found = []
    for words in (3, 1, 4):
        rows = [random.dirichlet(np.ones(T), size=words) for _ in range(2)]
        features = [random.normal(size=width) for width in (3, 2)]
        features = np.concatenate([f / np.linalg.norm(f) for f in features])
        first, second = (torch.tensor(r.astype(np.float32).astype(np.float64)) for r in rows)
        gold = random.integers(0, T, size=words).tolist()
        found.append({"first": rounded(first), "second": rounded(second), "gold": gold,
                      "features": rounded(torch.tensor(features))})  # fmt: skip
    return found


def gates():
    seen, cases = observations(), []
    for rows, normalized in itertools.product((1, T), (False, True)):
        parameters = {"weight": torch.nn.Parameter(formula(0, (rows, 5), 0)), "bias": torch.nn.Parameter(formula(1, (rows,), 0))}
        loss = 0.0
        for one in seen:
            first, second = (torch.tensor(one[key]).reshape(-1, T) for key in ("first", "second"))
            g = torch.sigmoid(parameters["weight"] @ torch.tensor(one["features"]) + parameters["bias"])
            mixture = g * first + (1 - g) * second
            if normalized:
                mixture = mixture / mixture.sum(dim=1, keepdim=True)
            loss = loss + F.nll_loss(mixture.log(), torch.tensor(one["gold"]), reduction="sum")
        described = {"gate": {"rows": rows, "text_dim": 3, "image_dim": 2}}
        got = gradients(parameters, loss / len(seen), ["weight", "bias"])
        cases.append({"name": f"{rows} rows, normalized: {normalized}", "normalized": normalized,
                      "meta": meta("gate", described, []), **got})  # fmt: skip
    write("gates", {"labels": T, "observations": seen, "cases": cases})


# ---- CLIP --------------------------------------------------------------------------------------------------

# The ids of captions, and the seeds of their pictures: two of one caption, and captions of three lengths.
CAPTIONS = [([18, 3, 7, 5, 19], (1, 5)), ([18, 4, 19], (2, 6)), ([18, 3, 7, 5, 19], (3, 7)), ([18, 9, 1, 1, 2, 6, 19], (4, 8))]


def pixels(seed):
    """[3, 7, 7] by a formula."""
    return torch.tensor(np.sin(seed + 0.21 * np.arange(3 * 7 * 7) ** 2).astype(np.float32).astype(np.float64)).reshape(3, 7, 7)


def clip(eos, act):
    shape = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": act}
    text = {**shape, "vocab_size": 20, "max_position_embeddings": 7, "bos_token_id": 18, "eos_token_id": eos}
    vision = {**shape, "image_size": 7, "patch_size": 3}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=6))
    own = dict(model.named_parameters())
    parameters = {name: own[name] for name in clip_names(2)}
    for k, (name, parameter) in enumerate(parameters.items()):
        parameter.data = formula(k, parameter.shape, float("norm" in name and name.endswith("weight")))
    described = {
        "projection_dim": 6, "text": {**text, "layer_norm_eps": 1e-5, "end_of_text_id": 19},
        "vision": {**vision, "layer_norm_eps": 1e-5},
        "preprocess": {"resize": 7, "crop": 7, "resample": "bicubic", "mean": [0.5] * 3, "std": [0.25] * 3},
    }  # fmt: skip
    return model, parameters, meta("clip", {"clip": described}, [])


def unit(features):
    features = features if torch.is_tensor(features) else features.pooler_output
    return F.normalize(features, dim=-1)


def contrastive():
    model, parameters, described = clip(2, "quick_gelu")
    numbers = list(parameters)
    cases = []
    for name, which, views in [
        ("captions of their own", [0, 1, 3], 0.0),
        ("two pictures of one caption", [0, 1, 2, 3], 0.0),
        ("a second view", [0, 1, 2, 3], 0.4),
    ]:
        batch = [CAPTIONS[n] for n in which]
        texts = torch.cat([unit(model.get_text_features(input_ids=torch.tensor([ids]))) for ids, _ in batch])
        first, second = (
            unit(model.get_image_features(pixel_values=torch.stack([pixels(seeds[n]) for _, seeds in batch]))) for n in (0, 1)
        )

        def matching(a, b, targets):
            scores = a @ b.T / 0.07
            return (F.cross_entropy(scores, targets) + F.cross_entropy(scores.T, targets)) / 2

        alike = torch.tensor([[float(a == b) for b, _ in batch] for a, _ in batch])
        loss = matching(first, texts, alike / alike.sum(dim=1, keepdim=True))
        if views:
            loss = loss + views * matching(first, second, torch.arange(len(batch)))
        got = gradients(parameters, loss, CLIP_LOOKED_AT)
        # By their numbers in the order of a file: the names there are others.
        got["gradients"] = {str(numbers.index(name)): values for name, values in got["gradients"].items()}
        pairs = [{"ids": ids, "seeds": list(seeds)} for ids, seeds in batch]
        cases.append({"name": name, "pairs": pairs, "views": views, **got})
    write("contrastive", {"meta": described, "temperature": 0.07, "cases": cases})


experts()
steps()
gates()
contrastive()
