#!/usr/bin/env python3
"""XLM-R's encoder by PyTorch: torch.compile, half precision, batch 1, on the GPU (or in bfloat16 on the CPU where there is none).

Needs torch alone: the encoder is written out here, with PyTorch's own attention. Prints the same JSON as `morelet bench -o json`, as far as
`morelet bench --compare` reads it. The time is from ids on the host to hidden states on the host.
"""

import argparse
import json
import platform
import time

import torch
from torch import nn

SIZES = {"xlm-r-large": (1024, 24, 16), "xlm-r-base": (768, 12, 12), "tiny": (64, 2, 4)}


class Layer(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.output = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-5), nn.LayerNorm(d, eps=1e-5)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
        x = self.norm1(x + self.output(mixed))
        return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))


class Encoder(nn.Module):
    def __init__(self, d, layers, heads):
        super().__init__()
        self.word, self.position = nn.Embedding(250_002, d), nn.Embedding(514, d)
        self.norm = nn.LayerNorm(d, eps=1e-5)
        self.layers = nn.ModuleList(Layer(d, heads) for _ in range(layers))

    def forward(self, ids):
        position = torch.arange(2, 2 + ids.shape[1], device=ids.device)
        x = self.norm(self.word(ids) + self.position(position))
        for layer in self.layers:
            x = layer(x)
        return x


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="xlm-r-large")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--repeat", type=int, default=100)
    args = parser.parse_args()
    cuda = torch.cuda.is_available()
    device, kind = ("cuda", torch.float16) if cuda else ("cpu", torch.bfloat16)
    torch.manual_seed(0)
    model = Encoder(*SIZES[args.size])
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.02)
    model = model.eval().to(device, kind)
    compiled = torch.compile(model, mode="max-autotune" if cuda else "default")
    ids = torch.randint(4, 250_001, (1, args.tokens))

    def run():
        start = time.perf_counter_ns()
        with torch.inference_mode():
            compiled(ids.to(device)).cpu()
        return (time.perf_counter_ns() - start) // 1000

    start = time.perf_counter_ns()
    for _ in range(10):
        run()
    warm = (time.perf_counter_ns() - start) // 1000
    samples = [run() for _ in range(args.repeat)]
    name = torch.cuda.get_device_name(0) if cuda else platform.processor()
    print(json.dumps({
        "version": f"torch {torch.__version__}", "device": {"used": device, "name": name}, "tokens": args.tokens,
        "quantization": str(kind).removeprefix("torch."), "warm_up_us": warm, "modules": {"encoder": {"samples": samples, "n": len(samples)}},
    }))


if __name__ == "__main__":
    main()
