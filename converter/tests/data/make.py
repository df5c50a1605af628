#!/usr/bin/env python3
"""Makes the small files beside it: what torch, transformers and sentencepiece write, with the values that they hold.

usage: make.py      needs torch 2.11, transformers 5.17, safetensors, sentencepiece 0.2 and protobuf
The files are a few kB each. `expected.json` holds, for every tensor of torch/*.bin, the values that torch reads from it."""
import collections, json, os, pathlib, shutil, tempfile, torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
torch.manual_seed(2026)


def fresh(name):
    shutil.rmtree(here / name, ignore_errors=True)
    (here / name).mkdir()
    return here / name


# --- torch/: every way in which a tensor can lie in its storage -------------------------------------------------
out = fresh("torch")
base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8 - 1
state = collections.OrderedDict(
    plain=base.clone(),
    transposed=base.clone().t(),
    slice=base[1:3, 2:5],
    shares_with_slice=base[:, 1],
    every_other=base[::2, ::3],
    expanded=torch.tensor([[1.5], [2.5]]).expand(2, 3),
    scalar=torch.tensor(0.75),
    empty=torch.zeros(0, 3),
    parameter=torch.nn.Parameter(torch.tensor([0.1, -0.2, 0.3])),
    permuted=torch.randn(2, 3, 4).permute(2, 0, 1),
    half=torch.randn(5).half(),
    bfloat=torch.randn(5).bfloat16(),
    double=torch.randn(5).double(),
    integers=torch.arange(4),
)
expected = {
    name: {"shape": list(t.shape), "values": t.detach().float().flatten().tolist()} for name, t in state.items()
}
json.dump(expected, open(out / "expected.json", "w"))
torch.save(state, out / "zip.bin")
torch.save(state, out / "zip-protocol-4.bin", pickle_protocol=4)
torch.save(state, out / "legacy.bin", _use_new_zipfile_serialization=False)
torch.save({"state_dict": state, "epoch": 3, "loss": 0.5, "name": "run", "losses": [1.0, 2]}, out / "training-loop.bin")
torch.save(torch.nn.Linear(2, 2), out / "whole-module.bin")
torch.save(torch.nn.Linear(2, 2), out / "whole-module-legacy.bin", _use_new_zipfile_serialization=False)

# --- ner/, re/: one small model each, in every packing ----------------------------------------------------------
from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaForTokenClassification

config = XLMRobertaConfig(
    vocab_size=14, hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=6,
    max_position_embeddings=10, type_vocab_size=1, layer_norm_eps=1e-5,
)
pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "c", "▁a", "▁b", "<S>", "<O>", "d", "<mask>"]


def tokenizer(directory):
    from tokenizers import Tokenizer, models, pre_tokenizers

    t = Tokenizer(models.Unigram([(p, 0.0 if p.startswith("<") else -1.0 - i) for i, p in enumerate(pieces)], unk_id=3))
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.save(str(directory / "tokenizer.json"), pretty=False)


def write_config(directory):
    keep = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
            "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "model_type"]
    json.dump({k: config.to_dict()[k] for k in keep}, open(directory / "config.json", "w"), indent=1)


out = fresh("ner")
encoder = XLMRobertaModel(config)
labels = ["O", "B-PER", "I-PER"]
crf = {"crf.start_transitions": torch.randn(3), "crf.transitions": torch.randn(3, 3), "crf.end_transitions": torch.randn(3)}
head = {"linear.weight": torch.randn(3, 4), "linear.bias": torch.randn(3)}
adaseq = {f"embedder.transformer_model.{k}": v for k, v in encoder.state_dict().items()} | head | crf
torch.save(adaseq, out / "pytorch_model.bin")
torch.save(adaseq, out / "legacy.bin", _use_new_zipfile_serialization=False)
adaseq = {k: v.contiguous() for k, v in adaseq.items()}
save_file(adaseq, out / "model.safetensors", metadata={"format": "pt"})
names, weight_map = sorted(adaseq), {}
for shard, part in enumerate([names[::2], names[1::2]]):
    file = f"model-{shard + 1:05}-of-00002"
    save_file({n: adaseq[n] for n in part}, out / f"{file}.safetensors")
    torch.save({n: adaseq[n] for n in part}, out / f"{file}.bin")
    weight_map |= {n: file for n in part}
for kind, name in [("safetensors", "model.safetensors"), ("bin", "pytorch_model.bin")]:
    index = {"metadata": {"total_size": 1}, "weight_map": {n: f"{f}.{kind}" for n, f in weight_map.items()}}
    json.dump(index, open(out / f"{name}.index.json", "w"))
plain = {k: v for k, v in encoder.state_dict().items()} | head | crf
save_file({k: v.contiguous() for k, v in plain.items()}, out / "no-prefix.safetensors")
save_file({k: v.bfloat16().contiguous() for k, v in adaseq.items()}, out / "bf16.safetensors")
json.dump(labels, open(out / "labels.json", "w"))
tokenizer(out)
write_config(out)

out = fresh("token-classification")
config.id2label = dict(enumerate(["O", "B-LOC", "I-LOC"]))
config.num_labels = 3
model = XLMRobertaForTokenClassification(config)
model.save_pretrained(out)
tokenizer(out)

out = fresh("re")
head = {"linear.weight": torch.randn(2, 8), "linear.bias": torch.randn(2), "layer_norm.weight": torch.rand(8), "layer_norm.bias": torch.randn(8)}
torch.save({f"embedder.transformer_model.{k}": v for k, v in encoder.state_dict().items()} | head, out / "pytorch_model.bin")
json.dump(["None", "/per/loc/place_of_birth"], open(out / "labels.json", "w"))
tokenizer(out)
write_config(out)

# --- clip/: both towers, with the slow tokenizer's files ---------------------------------------------------------
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

out = fresh("clip")
tower = dict(hidden_size=4, intermediate_size=6, num_hidden_layers=1, num_attention_heads=2)
alphabet = list("abc!") + [c + "</w>" for c in "abc!"]
merges = [("a", "b"), ("ab", "c</w>"), ("b", "c</w>")]
vocabulary = alphabet + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
json.dump({t: i for i, t in enumerate(vocabulary)}, open(out / "vocab.json", "w"))
open(out / "merges.txt", "w").write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
expected = fresh("clip-expected")
CLIPTokenizer.from_pretrained(out).save_pretrained(expected)
os.remove(expected / "tokenizer_config.json")
clip = CLIPConfig(
    text_config=tower | dict(vocab_size=len(vocabulary), max_position_embeddings=8, eos_token_id=len(vocabulary) - 1),
    vision_config=tower | dict(image_size=8, patch_size=4), projection_dim=3,
)
CLIPModel(clip).save_pretrained(out)
CLIPImageProcessor(size={"shortest_edge": 8}, crop_size={"height": 8, "width": 8}).save_pretrained(out)

# --- sentencepiece/: a model of the tool itself, and the tokenizer that transformers makes of it ------------------
import sentencepiece
from transformers import XLMRobertaTokenizer

out = fresh("sentencepiece")
# Two rules of normalization, so that the compiled map is small: the ligature fi, and a no-break space.
rules = tempfile.mkdtemp()
open(f"{rules}/rules.tsv", "w").write("FB01\t66 69\nA0\t20\n")
sentences = ["the first field of the finest fish", "a thick wet fox finds a fig", "five foxes in the field"] * 20
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(sentences), model_prefix=str(out / "sentencepiece.bpe"), vocab_size=60, hard_vocab_limit=False,
    unk_id=0, bos_id=1, eos_id=2, normalization_rule_tsv=f"{rules}/rules.tsv", user_defined_symbols=["<S>", "<O>"], minloglevel=2,
)
os.remove(out / "sentencepiece.bpe.vocab")
XLMRobertaTokenizer.from_pretrained(out).save_pretrained(rules)
shutil.copy(f"{rules}/tokenizer.json", out / "expected.json")
