"""What CLIP's processor does to a picture, by Pillow and NumPy, timed step by step.

Started by the bench `picture`. Reads a path a line; writes the milliseconds of processor time of decoding, of `convert("RGB")`,
of resize and crop, of scaling and normalizing, and the Adler-32 of the pixels.
"""

import io
import sys
import time
import zlib

import numpy as np
from PIL import Image

SIDE = 224
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)

for line in sys.stdin:
    with open(line.rstrip("\n"), "rb") as file:
        data = file.read()
    times = [time.thread_time_ns()]
    picture = Image.open(io.BytesIO(data))
    picture.load()
    times.append(time.thread_time_ns())
    picture = picture.convert("RGB")
    times.append(time.thread_time_ns())
    width, height = picture.size
    length = int(SIDE * max(picture.size) / min(picture.size))
    width, height = (SIDE, length) if width <= height else (length, SIDE)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    picture = picture.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + SIDE, top + SIDE))
    times.append(time.thread_time_ns())
    pixels = np.asarray(picture).astype(np.float32)
    pixels /= np.float32(255)
    pixels -= MEAN
    pixels /= STD
    pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    times.append(time.thread_time_ns())
    steps = (f"{(after - before) / 1e6:.6f}" for before, after in zip(times, times[1:]))
    print(*steps, zlib.adler32(picture.tobytes()), flush=True)
