"""What PyTorch answers: encoders in float64 (so that the answers do not depend on the machine that made
them), CRF, fusion and features by the formulas of the design."""

import numpy as np
import torch
from PIL import Image

import chunks
import inputs
from crf import Crf
from vocabularies import ids as sub_tokens

# How far float32 may be from float64 in PyTorch itself: a quarter of what the tests allow, so that a failing
# test means a mistake and not a badly conditioned checkpoint.
F32_ROOM = {"hidden": 5e-5, "scores": 5e-5, "marginals": 5e-6, "clip": 5e-6}


def rounded(values, digits=9):
    """Numbers as JSON with the digits of a float32."""
    if isinstance(values, (list, tuple, np.ndarray)):
        return [rounded(value, digits) for value in values]
    return float(f"{float(values):.{digits}g}")


def rounded_map(values):
    return {name: rounded(value) for name, value in values.items()}


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Expert:
    """A checkpoint with its tokenizer and input options."""

    def __init__(self, checkpoint, tokenizer, options: inputs.Options):
        self.checkpoint, self.tokenizer, self.options = checkpoint, tokenizer, options
        self.crf = None
        if checkpoint.crf:
            parts = {k: v.double().numpy() for k, v in checkpoint.crf.items()}
            self.crf = Crf(parts["start_transitions"], parts["transitions"], parts["end_transitions"])
        self.head = None
        if checkpoint.head is not None:
            self.head = [p.detach().double().numpy() for p in (checkpoint.head.weight, checkpoint.head.bias)]

    def hidden(self, ids) -> np.ndarray:
        """Hidden states [n, d]; checks that float32 agrees with float64."""
        model = self.checkpoint.encoder
        with torch.no_grad():
            single = model.float()(torch.tensor([ids])).last_hidden_state[0].double().numpy()
            double = model.double()(torch.tensor([ids])).last_hidden_state[0].numpy()
        assert np.abs(single - double).max() < F32_ROOM["hidden"], self.checkpoint.name
        return double

    def pool(self, hidden, place):
        rows = hidden[place.start : place.stop]
        return {"first": rows[0], "last": rows[-1], "mean": rows.mean(axis=0)}[self.options.pooling]

    def words(self, built) -> np.ndarray:
        """The representations of the words that fit, [n, d]."""
        hidden = self.hidden(built.ids)
        return np.array([self.pool(hidden, place) for place in built.words]).reshape(-1, hidden.shape[1])

    def pair(self, built) -> np.ndarray:
        """Subject and object, normalized where the checkpoint does that, [2 d]."""
        hidden = self.hidden(built.ids)
        pair = np.concatenate([self.pool(hidden, place) for place in built.markers])
        if self.checkpoint.norm is not None:
            with torch.no_grad():
                pair = self.checkpoint.norm.double()(torch.tensor(pair)).numpy()
        return pair

    def ner(self, words, contexts):
        built = inputs.build(self.tokenizer, words, contexts, self.options)
        weight, bias = self.head
        emissions = self.words(built) @ weight.T + bias
        marginals = self.crf.marginals(emissions) if self.crf else softmax(emissions)
        answer = {
            "input_ids": built.ids,
            "emissions": emissions,
            "marginals": marginals,
            "labels": self.named(marginals.argmax(axis=1), len(words)),
        }
        if self.crf:
            answer["viterbi"] = self.named(self.crf.viterbi(emissions), len(words))
        return answer, built.truncated

    def named(self, labels, n):
        names = [self.checkpoint.labels[y] for y in labels]
        return names + ["O"] * (n - len(names))

    def re(self, words, subject, object_, contexts):
        built = inputs.build(self.tokenizer, words, contexts, self.options, subject, object_)
        if built.markers is None:
            return {"input_ids": built.ids, "logits": None}, True
        weight, bias = self.head
        return {"input_ids": built.ids, "logits": weight @ self.pair(built) + bias}, built.truncated


class Clip:
    def __init__(self, checkpoint, tokenizer):
        self.checkpoint, self.tokenizer = checkpoint, tokenizer

    def features(self, run) -> np.ndarray:
        """Normalized features of one forward pass, in float64 and checked in float32."""
        with torch.no_grad():
            single, double = (run(self.checkpoint.model.to(t), t).double().numpy() for t in (torch.float32, torch.float64))
        single, double = (x / np.linalg.norm(x) for x in (single, double))
        assert np.abs(single - double).max() < F32_ROOM["clip"], self.checkpoint.name
        return double

    def text_ids(self, text) -> list[int]:
        """At most as many ids as there are positions, the end of text kept."""
        limit = self.checkpoint.model.config.text_config.max_position_embeddings
        whole = self.tokenizer.encode(text).ids
        return whole if len(whole) <= limit else whole[: limit - 1] + whole[-1:]

    def text(self, text) -> np.ndarray:
        ids = self.text_ids(text)
        eos = self.checkpoint.config["text_config"]["eos_token_id"]
        place = int(np.argmax(ids)) if eos == 2 else ids.index(eos)

        def run(model, _):
            states = model.text_model(torch.tensor([ids]))
            ours = states.last_hidden_state[0, place]
            assert torch.equal(states.pooler_output[0], ours), "transformers pools elsewhere"
            return model.text_projection(ours)

        return self.features(run)

    def pixels(self, path) -> np.ndarray:
        """[3, side, side]: short side to `size`, bicubic with antialiasing in 8 bits, centre crop, mean and std."""
        options = self.checkpoint.preprocessor
        size, crop = options["size"], options["crop_size"]
        size = size if isinstance(size, int) else size["shortest_edge"]
        crop = crop if isinstance(crop, int) else crop["height"]
        picture = Image.open(path).convert("RGB")
        width, height = picture.size
        short, long = min(width, height), max(width, height)
        other = int(size * long / short)
        resized = picture.resize((size, other) if width <= height else (other, size), Image.Resampling.BICUBIC)
        left, top = (resized.width - crop) // 2, (resized.height - crop) // 2
        pixels = np.asarray(resized.crop((left, top, left + crop, top + crop)), dtype=np.float64) / 255
        return ((pixels - np.array(options["image_mean"])) / np.array(options["image_std"])).transpose(2, 0, 1)

    def image(self, path) -> np.ndarray:
        pixels = self.pixels(path)

        def run(model, dtype):
            states = model.vision_model(torch.tensor(pixels[None]).to(dtype))
            return model.visual_projection(states.pooler_output[0])

        return self.features(run)


# ---- fusion ------------------------------------------------------------------------------------------------


def gate_values(gate, text, image, labels):
    """g_y for every label; one row serves all."""
    weight, bias = (gate[k].double().numpy() for k in ("weight", "bias"))
    g = 1 / (1 + np.exp(-(weight @ np.concatenate([text, image]) + bias)))
    return np.broadcast_to(g, (labels,)) if len(g) == 1 else g


def mixture(distributions, g):
    if len(distributions) == 1:
        return distributions[0]
    first, second = distributions
    return g * first + (1 - g) * second


def named_entities(labels, rows, names, words):
    """Entities with conlleval's reading and the mean over their words of P over the row's sum."""
    found = []
    for type_, start, end in chunks.entities(labels):
        scores = [rows[i][names.index(labels[i])] / rows[i].sum() for i in range(start, end)]
        text = " ".join(words[start:end])
        found.append({"type": type_, "start": start, "end": end, "text": text, "score": rounded(np.mean(scores))})
    return found
