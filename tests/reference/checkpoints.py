"""Small random checkpoints in every layout and every file form that `morelet-convert model` reads.

The encoders are those of `transformers`; heads, CRF and prefixes are AdaSeq's. Weights are random but not
small: an output that is nearly flat hides mistakes. Every checkpoint has its own seed, so that adding one
changes no other.
"""

import json
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, XLMRobertaConfig, XLMRobertaModel

TYPES = ["LOC", "MISC", "ORG", "PER"]
BIOES = ["O"] + [f"{tag}-{type_}" for type_ in TYPES for tag in "BIES"]
BIO = ["O"] + [f"{tag}-{type_}" for type_ in TYPES for tag in "BI"]
RELATIONS = ["None", "/per/org/member_of", "/per/per/peer", "/loc/loc/contain", "/org/loc/locate_at", "/per/misc/awarded"]
PLAIN_RELATIONS = ["founder", "no_relation", "birthplace", "spouse", "part of"]


@dataclass
class Xlmr:
    """One XLM-R checkpoint: what is in its files, and the modules that answer for it."""

    name: str
    config: dict
    labels: list[str]
    encoder: XLMRobertaModel
    head: torch.nn.Linear | None = None
    norm: torch.nn.LayerNorm | None = None
    crf: dict[str, torch.Tensor] = field(default_factory=dict)
    state: "OrderedDict[str, torch.Tensor]" = None


SEED = ""


def generator(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32((name + SEED).encode()))


def randomize(module: torch.nn.Module, random: torch.Generator, embeddings: float = 0.5):
    """Fills every parameter in the order of its name, by what it is."""
    for name, parameter in sorted(module.named_parameters()):
        noise = torch.randn(parameter.shape, generator=random)
        if "norm" in name.lower() and name.endswith("weight"):
            value = 1 + 0.2 * noise
        elif parameter.dim() <= 1:
            value = 0.1 * noise
        elif "embed" in name and "patch" not in name:
            value = embeddings * noise
        else:
            # A strong output of attention would make all words of a sentence alike.
            gain = 0.6 if "attention.output" in name or "out_proj" in name else 1.2
            value = gain * noise / parameter[0].numel() ** 0.5
        parameter.data.copy_(value)


def to_grid(state):
    """Rounds to multiples of 1/128 below 2: numbers that bfloat16 and float16 hold exactly, so that every
    file form of the checkpoint is the same checkpoint."""
    return {name: (value * 128).round().clamp(-255, 255) / 128 for name, value in state.items()}


def encoder(name, random, embeddings=0.5, **sizes):
    config = XLMRobertaConfig(
        **{
            "vocab_size": sizes.pop("vocabulary"),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "max_position_embeddings": 66,
            "type_vocab_size": 1,
            "layer_norm_eps": 1e-5,
            **sizes,
        }
    )
    model = XLMRobertaModel(config, add_pooling_layer=False).eval()
    randomize(model, random, embeddings)
    return model, config


def head(random, labels, width, std=0.5):
    linear = torch.nn.Linear(width, labels)
    linear.weight.data.copy_(std * torch.randn(linear.weight.shape, generator=random))
    linear.bias.data.copy_(std * torch.randn(linear.bias.shape, generator=random))
    return linear


def transitions(random, labels):
    uniform = lambda *shape: torch.rand(shape, generator=random) * 2 - 1
    return {
        "start_transitions": uniform(labels),
        "end_transitions": uniform(labels),
        "transitions": uniform(labels, labels),
    }


def written_config(config: XLMRobertaConfig, without=()) -> dict:
    """`config.json` as it is found in the wild: what the model needs, and noise."""
    text = config.to_dict()
    keys = (
        "bos_token_id eos_token_id pad_token_id hidden_act hidden_size intermediate_size layer_norm_eps "
        "max_position_embeddings num_attention_heads num_hidden_layers type_vocab_size vocab_size"
    ).split()
    written = {"model_type": "xlm-roberta", "attention_probs_dropout_prob": 0.1, "torch_dtype": "float32"}
    written |= {key: text[key] for key in keys if key not in without}
    return written


def adaseq(name, labels, relation=False, norm=True, crf=True, grid=False, **sizes) -> Xlmr:
    """An AdaSeq task model: `embedder.transformer_model.*`, `linear.*`, `crf.*` or `layer_norm.*`."""
    random = generator(name)
    model, config = encoder(name, random, **sizes)
    width = config.hidden_size * (2 if relation else 1)
    result = Xlmr(name, written_config(config), labels, model, head(random, len(labels), width))
    if relation and norm:
        result.norm = torch.nn.LayerNorm(width, eps=1e-5)
        randomize(result.norm, random)
        result.norm.weight.data.copy_(1 + 0.2 * torch.randn(width, generator=random))
    if not relation and crf:
        result.crf = transitions(random, len(labels))
    if grid:
        model.load_state_dict(to_grid(model.state_dict()))
        result.head.load_state_dict(to_grid(result.head.state_dict()))
        result.crf = to_grid(result.crf)
    state = OrderedDict()
    for key, value in model.state_dict().items():
        state[f"embedder.transformer_model.{key}"] = value
    for key, value in result.head.state_dict().items():
        state[f"linear.{key}"] = value
    for key, value in (result.norm.state_dict() if result.norm else {}).items():
        state[f"layer_norm.{key}"] = value
    for key, value in result.crf.items():
        state[f"crf.{key}"] = value
    # What older versions save beside the parameters: dropped, and reported.
    positions = torch.arange(config.max_position_embeddings).unsqueeze(0)
    state["embedder.transformer_model.embeddings.position_ids"] = positions
    d = config.hidden_size
    state["embedder.transformer_model.pooler.dense.weight"] = torch.randn(d, d, generator=random)
    state["embedder.transformer_model.pooler.dense.bias"] = torch.randn(d, generator=random)
    result.state = state
    return result


def token_classification(name, labels, **sizes) -> Xlmr:
    """`XLMRobertaForTokenClassification`, its config without the keys whose defaults it relies on: an epsilon
    of 1e-12 (the embeddings are small, so that 1e-5 would show), two token types, GELU."""
    random = generator(name)
    model, config = encoder(name, random, embeddings=2e-3, type_vocab_size=2, layer_norm_eps=1e-12, **sizes)
    without = {"layer_norm_eps", "type_vocab_size", "hidden_act", "bos_token_id", "eos_token_id", "pad_token_id"}
    written = written_config(config, without)
    written["architectures"] = ["XLMRobertaForTokenClassification"]
    written["id2label"] = {str(n): label for n, label in enumerate(labels)}
    written["label2id"] = {label: n for n, label in enumerate(labels)}
    result = Xlmr(name, written, labels, model, head(random, len(labels), config.hidden_size))
    state = OrderedDict((f"roberta.{key}", value) for key, value in model.state_dict().items())
    state |= {f"classifier.{key}": value for key, value in result.head.state_dict().items()}
    result.state = state
    return result


def bare(name, labels=None, **sizes) -> Xlmr:
    """`XLMRobertaModel` without a prefix; with `labels`, a linear layer and a CRF beside it."""
    random = generator(name)
    model, config = encoder(name, random, **sizes)
    result = Xlmr(name, written_config(config), labels or [], model)
    state = OrderedDict(model.state_dict())
    if labels:
        result.head = head(random, len(labels), config.hidden_size)
        result.crf = transitions(random, len(labels))
        state |= {f"linear.{key}": value for key, value in result.head.state_dict().items()}
        state |= {f"crf.{key}": value for key, value in result.crf.items()}
    else:
        state["pooler.dense.weight"] = torch.randn(config.hidden_size, config.hidden_size, generator=random)
        state["pooler.dense.bias"] = torch.randn(config.hidden_size, generator=random)
    result.state = state
    return result


# ---- CLIP and gates ----------------------------------------------------------------------------------------


@dataclass
class Clip:
    name: str
    config: dict
    preprocessor: dict
    model: CLIPModel
    state: dict[str, torch.Tensor]


def clip(name, vocabulary, eos, text, vision, projection, preprocessor, without=()) -> Clip:
    """A CLIPModel. `eos` is what config.json says, true or the 2 of the first release."""
    random = generator(name)
    sizes = {"num_hidden_layers": 2, "intermediate_size": 64}
    config = CLIPConfig(
        text_config={"vocab_size": vocabulary, "eos_token_id": eos, "bos_token_id": 0, **sizes, **text},
        vision_config={**sizes, **vision},
        projection_dim=projection,
    )
    model = CLIPModel(config).eval()
    randomize(model, random)
    state = dict(model.state_dict())
    length = config.text_config.max_position_embeddings
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2 + 1
    state["text_model.embeddings.position_ids"] = torch.arange(length).unsqueeze(0)
    state["vision_model.embeddings.position_ids"] = torch.arange(patches).unsqueeze(0)
    keep = {
        "text_config": "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads "
        "max_position_embeddings eos_token_id bos_token_id hidden_act layer_norm_eps",
        "vision_config": "hidden_size intermediate_size num_hidden_layers num_attention_heads image_size "
        "patch_size hidden_act layer_norm_eps",
    }
    written = {"model_type": "clip", "architectures": ["CLIPModel"], "projection_dim": projection}
    for tower, keys in keep.items():
        values = getattr(config, tower).to_dict()
        written[tower] = {key: values[key] for key in keys.split() if key not in without}
    return Clip(name, written, preprocessor, model, state)


def gate(name, rows, width):
    random = generator(name)
    return {
        "weight": 3 * torch.randn(rows, width, generator=random),
        "bias": 0.5 * torch.randn(rows, generator=random),
    }


# ---- file forms --------------------------------------------------------------------------------------------


def contiguous(state, dtype=None):
    cast = lambda v: v.to(dtype) if dtype and v.is_floating_point() else v
    return {name: cast(value).clone().contiguous() for name, value in state.items()}


def safetensors(state, directory: Path, dtype=None):
    directory.mkdir(parents=True, exist_ok=True)
    save_file(contiguous(state, dtype), directory / "model.safetensors", metadata={"format": "pt"})


def sharded(state, directory: Path, shards=3):
    directory.mkdir(parents=True, exist_ok=True)
    state, index = contiguous(state), {}
    names = sorted(state)
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: state[name] for name in names[shard::shards]}
        save_file(part, directory / file, metadata={"format": "pt"})
        index |= {name: file for name in part}
    total = sum(v.numel() * v.element_size() for v in state.values())
    text = json.dumps({"metadata": {"total_size": total}, "weight_map": index}, indent=1)
    (directory / "model.safetensors.index.json").write_text(text, encoding="utf-8")


def pytorch_bin(state, directory: Path, legacy=False, dtype=None):
    """As `torch.save(model.state_dict())` writes it. Queries, keys and values are views of one storage, one
    matrix is stored transposed, one bias with gaps, another as a Parameter: all of which a real file may hold."""
    directory.mkdir(parents=True, exist_ok=True)
    state = OrderedDict(contiguous(state, dtype))
    state._metadata = OrderedDict({"": {"version": 1}})
    for name in [name for name in state if name.endswith("query.weight")]:
        parts = [name.replace("query", part) for part in ("query", "key", "value")]
        whole = torch.cat([state[part] for part in parts])
        for part, view in zip(parts, whole.chunk(3)):
            state[part] = view
    for name in [name for name in state if name.endswith(("output.dense.weight", "fc2.weight"))]:
        state[name] = state[name].t().contiguous().t()
    for name in [name for name in state if name.endswith(("intermediate.dense.bias", "fc1.bias"))]:
        state[name] = state[name].repeat_interleave(2)[::2]
    for name in [name for name in state if name.endswith(("linear.bias", "post_layernorm.bias"))]:
        state[name] = torch.nn.Parameter(state[name])
    torch.save(state, directory / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)


def write_config(result, directory: Path, labels_file: bool):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(result.config, indent=1, ensure_ascii=False), encoding="utf-8")
    if labels_file:
        (directory / "labels.json").write_text(json.dumps(result.labels), encoding="utf-8")


def finite(state) -> bool:
    return all(np.isfinite(value.float().numpy()).all() for value in state.values())
