#!/usr/bin/env python3
"""What a device has to answer before it serves: models/src/gpu/self_test.golden.

One transformer layer, post-norm as in XLM-R, over numbers that both sides make from the same hash. All of it in
Python's own double precision, with sums that do not round (math.fsum), so that nothing here shares code with what
it is compared with. It needs no package:

    python3 tests/reference/self_test.py > models/src/gpu/self_test.golden
"""

from math import erf, exp, fsum, sqrt

ROWS, SEEN, WIDTH, HEADS = 32, 27, 64, 2
EPS = 1e-5


def noise(seed, count):
    """Multiples of 1/128 in -1..1: `f16` and `bf16` hold them exactly."""
    out = []
    for at in range(count):
        h = (at * 0x9E3779B1 + seed * 0x7F4A7C15) & 0xFFFFFFFF
        h ^= h >> 15
        h = (h * 0x85EBCA6B) & 0xFFFFFFFF
        h ^= h >> 13
        out.append(((h >> 24) - 128) / 128)
    return out


def matrix(seed, scale):
    flat = noise(seed, WIDTH * WIDTH)
    return [[scale * w for w in flat[r * WIDTH:(r + 1) * WIDTH]] for r in range(WIDTH)]


def quantized(seed):
    """Bytes in -127..127 and a scale for each row, multiplied out."""
    flat = [max(-127, round(128 * w)) for w in noise(seed, WIDTH * WIDTH)]
    return [[(1 + r % 5) / 1024 * w for w in flat[r * WIDTH:(r + 1) * WIDTH]] for r in range(WIDTH)]


def linear(x, w, bias):
    return [[fsum(a * b for a, b in zip(row, out)) + c for out, c in zip(w, bias)] for row in x]


def layer_norm(x, gamma, beta):
    out = []
    for row in x:
        mean = fsum(row) / len(row)
        variance = fsum((v - mean) ** 2 for v in row) / len(row)
        scale = 1 / sqrt(variance + EPS)
        out.append([(v - mean) * scale * g + b for v, g, b in zip(row, gamma, beta)])
    return out


def attention(q, k, v):
    """Each head by itself; the keys from SEEN on are masked."""
    d = WIDTH // HEADS
    out = [[0.0] * WIDTH for _ in range(ROWS)]
    for head in range(HEADS):
        at = head * d
        for i in range(ROWS):
            scores = [fsum(q[i][at + c] * k[j][at + c] for c in range(d)) / sqrt(d) for j in range(SEEN)]
            top = max(scores)
            weights = [exp(s - top) for s in scores]
            total = fsum(weights)
            for c in range(d):
                out[i][at + c] = fsum(w * v[j][at + c] for j, w in enumerate(weights)) / total
    return out


def add(a, b):
    return [[x + y for x, y in zip(p, q)] for p, q in zip(a, b)]


def gelu(x):
    return [[0.5 * v * (1 + erf(v / sqrt(2))) for v in row] for row in x]


def bias(seed):
    return noise(seed, WIDTH)


def main():
    flat = [2 * v for v in noise(1, ROWS * WIDTH)]
    x = [flat[r * WIDTH:(r + 1) * WIDTH] for r in range(ROWS)]
    q, k = linear(x, matrix(2, 0.25), bias(12)), linear(x, matrix(3, 0.25), bias(13))
    v = linear(x, matrix(4, 0.25), bias(14))
    seen = linear(attention(q, k, v), matrix(5, 0.25), bias(15))
    gamma = [1 + g / 2 for g in noise(22, WIDTH)]
    h = layer_norm(add(x, seen), gamma, bias(23))
    up = linear(h, quantized(6), bias(16))
    y = layer_norm(add(h, linear(gelu(up), quantized(7), bias(17))), gamma, bias(23))
    for row in y[:SEEN]:
        print(" ".join(f"{value:.5f}" for value in row))


main()
