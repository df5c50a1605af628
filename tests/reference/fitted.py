"""An expert that has learned something: what an untrained one says is decided by hairs, and quantization
flips those. Its task is invented: sentences from templates, names from lists, labels in BIOES."""

import random

import torch

import inputs

NAMES = {
    "PER": ["Maria Estrada", "Kolo", "Ana Petrova", "Thomas Okafor", "Alan Turing", "Clara Moon", "Pepper"],
    "LOC": ["London", "Oslo", "Cape Verran", "New Brighton", "Hadra", "South America", "Paris"],
    "ORG": ["Harbour Museum", "Tin Whistle Records", "United Riverside", "Grand Central Library", "Leipzig University"],
    "MISC": ["Seven Doors", "World Cup", "Summer Parade"],
}
TEMPLATES = """
PER loves the sun in LOC .
yesterday PER met PER at the ORG in LOC
the ORG announced that PER will leave for LOC !
RT @ PER : we are watching MISC with PER
nobody in LOC expected MISC to open before the end of the summer
PER , who lived beyond the mountains , wrote a long letter to the ORG
is MISC shown in LOC or in LOC ?
ORG and ORG won the northern cup , three goals to two
it rains and the dog sleeps under the kitchen table
PER PER PER and a song called MISC
""".strip().splitlines()


def sentence(pick: random.Random):
    """Words and their labels."""
    words, labels = [], []
    for slot in pick.choice(TEMPLATES).split():
        if slot not in NAMES:
            words.append(slot)
            labels.append("O")
            continue
        name = pick.choice(NAMES[slot]).split()
        tags = ["S"] if len(name) == 1 else ["B"] + ["I"] * (len(name) - 2) + ["E"]
        words += name
        labels += [f"{tag}-{slot}" for tag in tags]
    return words, labels


def log_likelihood(emissions, path, start, transitions, end):
    """log p(y | x) of one sentence, by the forward recursion."""
    alpha, score = start + emissions[0], start[path[0]] + emissions[0, path[0]]
    for i in range(1, len(path)):
        alpha = torch.logsumexp(alpha[:, None] + transitions, dim=0) + emissions[i]
        score = score + transitions[path[i - 1], path[i]] + emissions[i, path[i]]
    return score + end[path[-1]] - torch.logsumexp(alpha + end, dim=0)


def fit(checkpoint, tokenizer, options, steps=900):
    """Trains encoder, head and CRF of an AdaSeq checkpoint, in place."""
    torch.set_num_threads(1)
    pick = random.Random(2017)
    number = {label: n for n, label in enumerate(checkpoint.labels)}
    modules = [checkpoint.encoder.float().train(False), checkpoint.head.float()]
    scores = {name: torch.nn.Parameter(value.clone()) for name, value in checkpoint.crf.items()}
    parameters = [p for module in modules for p in module.parameters()] + list(scores.values())
    optimizer = torch.optim.AdamW(parameters, lr=2e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        loss = 0
        for _ in range(8):
            words, labels = sentence(pick)
            built = inputs.build(tokenizer, words, [], options)
            hidden = checkpoint.encoder(torch.tensor([built.ids])).last_hidden_state[0]
            emissions = checkpoint.head(hidden[[place.start for place in built.words]])
            path = [number[label] for label in labels]
            loss -= log_likelihood(
                emissions, path, scores["start_transitions"], scores["transitions"], scores["end_transitions"]
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for name, value in scores.items():
            checkpoint.crf[name].copy_(value)
            checkpoint.state[f"crf.{name}"] = checkpoint.crf[name]
    for prefix, module in (("embedder.transformer_model", modules[0]), ("linear", modules[1])):
        for name, value in module.state_dict().items():
            checkpoint.state[f"{prefix}.{name}"] = value.detach().clone()
    print(f"fitted: loss {loss.item() / 8:.3f} a sentence")


def examples(count: int):
    """Sentences that training has not seen in this order, their gold labels as a hurried annotator gives them:
    one word in twenty is labelled wrongly, which also makes sequences that no scheme allows."""
    pick = random.Random(2022)
    every = ["O"] + [f"{tag}-{type_}" for type_ in NAMES for tag in "BIES"]
    for _ in range(count):
        words, labels = sentence(pick)
        yield words, [pick.choice(every) if pick.random() < 0.05 else label for label in labels]
