"""What PyTorch says of two tiny CLIPs whose weights are a formula.

    python tests/reference/clip_formula.py

prints the arrays of models/src/clip/tests.rs, which fills the same weights by the same formula: value i of
the k-th tensor (in the order of `expected_tensors`) is sin(k + 0.37 i²) / 2, layer-norm weights plus 1.
"""

import numpy as np
import torch
from transformers import CLIPConfig, CLIPModel

LAYER = [("norm1", "layer_norm1"), ("attention.query", "self_attn.q_proj"), ("attention.key", "self_attn.k_proj"),
         ("attention.value", "self_attn.v_proj"), ("attention.output", "self_attn.out_proj"), ("norm2", "layer_norm2"),
         ("mlp.up", "mlp.fc1"), ("mlp.down", "mlp.fc2")]


def names(layers):
    """The tensors in the order of the `.weights` file, by their names in transformers."""
    def tower(model):
        for n in range(layers):
            for _, part in LAYER:
                for kind in ("weight", "bias"):
                    yield f"{model}.encoder.layers.{n}.{part}.{kind}"
    text, vision = "text_model", "vision_model"
    yield from (f"{text}.embeddings.token_embedding.weight", f"{text}.embeddings.position_embedding.weight")
    yield from tower(text)
    yield from (f"{text}.final_layer_norm.weight", f"{text}.final_layer_norm.bias", "text_projection.weight")
    yield from (f"{vision}.embeddings.class_embedding", f"{vision}.embeddings.patch_embedding.weight",
                f"{vision}.embeddings.position_embedding.weight", f"{vision}.pre_layrnorm.weight", f"{vision}.pre_layrnorm.bias")
    yield from tower(vision)
    yield from (f"{vision}.post_layernorm.weight", f"{vision}.post_layernorm.bias", "visual_projection.weight")


def model(act, eos):
    shape = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": act}
    text = {**shape, "vocab_size": 20, "max_position_embeddings": 7, "bos_token_id": 18, "eos_token_id": eos}
    vision = {**shape, "image_size": 7, "patch_size": 3}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=6)).eval()
    state = clip.state_dict()
    for k, name in enumerate(names(2)):
        shape = state[name].shape
        values = np.sin(k + 0.37 * np.arange(int(np.prod(shape)), dtype=np.float64) ** 2) / 2
        if "norm" in name and name.endswith("weight"):
            values += 1
        state[name] = torch.tensor(values.astype(np.float32)).reshape(shape)
    clip.load_state_dict(state)
    return clip


def unit(features):
    features = features if torch.is_tensor(features) else features.pooler_output
    return (features / features.norm(dim=-1, keepdim=True))[0].tolist()


def main():
    ids = torch.tensor([[18, 3, 7, 5, 19]])
    rgb = (np.arange(7 * 7 * 3) * 37 % 256).reshape(7, 7, 3)
    pixels = (rgb.astype(np.float32) / 255 - 0.5) / 0.25
    pixels = torch.tensor(pixels).permute(2, 0, 1)[None]
    with torch.no_grad():
        for act, eos in (("quick_gelu", 2), ("gelu", 5)):
            clip = model(act, eos)
            print(act, eos, "text", unit(clip.get_text_features(ids)))
            print(act, eos, "image", unit(clip.get_image_features(pixels)))


if __name__ == "__main__":
    main()
