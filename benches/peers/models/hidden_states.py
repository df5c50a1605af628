"""PyTorch's f32 answers to a few fixed inputs, to compare another precision with.

`WORK/hidden/MODEL-TOKENS.json` holds the ids; the file of the same name ending in `.f32` holds the hidden states, `[tokens, hidden]`,
little-endian. `morelet bench F.weights --agree WORK/hidden` gives the cosine of each position with them.
"""

import json

from checkpoints import checkpoint, input_ids
from contenders import contender

INPUTS = [(16, 1), (128, 2), (512, 3)]  # tokens, seed


def write(work, model, threads):
    folder = work / "hidden"
    folder.mkdir(exist_ok=True)
    reference = contender("torch:f32", work, checkpoint(work, model), threads)
    for tokens, seed in INPUTS:
        ids = input_ids(tokens, seed)
        hidden = reference.run(ids)
        name = f"{model}-{tokens}"
        (folder / f"{name}.json").write_text(json.dumps({"ids": ids, "shape": list(hidden.shape)}))
        (folder / f"{name}.f32").write_bytes(hidden.astype("<f4").tobytes())
        print(f"{folder / name}: {hidden.shape}")
