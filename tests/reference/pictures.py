"""A few pictures, drawn by formula: enough structure that a shifted, unfiltered or mirrored resize shows."""

from pathlib import Path

import numpy as np
from PIL import Image


def waves(width, height, seed):
    """Smooth colour waves, a dark disc, a bright frame, fine stripes in one corner."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    pixels = np.zeros((height, width, 3))
    for channel in range(3):
        fx, fy, phase = random.uniform(0.01, 0.12, 2).tolist() + [random.uniform(0, 6)]
        pixels[..., channel] = 127 + 110 * np.sin(fx * x + fy * y + phase)
    disc = (x - width * 0.6) ** 2 + (y - height * 0.35) ** 2 < (min(width, height) * 0.2) ** 2
    pixels[disc] = [20, 30, 60]
    stripes = (x < width / 3) & (y > 2 * height / 3) & (x.astype(int) % 3 == 0)
    pixels[stripes] = [250, 240, 20]
    pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:] = 255, 255, 255, 255
    return pixels.clip(0, 255).astype(np.uint8)


def write(directory: Path):
    directory.mkdir(parents=True, exist_ok=True)
    Image.fromarray(waves(150, 100, 1)).save(directory / "wide.png", optimize=True)
    # Every chroma sample of its own: decoders differ in how they fill in missing ones.
    Image.fromarray(waves(181, 320, 2)).save(directory / "tall.jpg", quality=90, subsampling=0)
    Image.fromarray(waves(40, 30, 3)).convert("L").save(directory / "small-grey.png", optimize=True)
