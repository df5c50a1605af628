"""Pictures in every format and kind of pixel, and what Pillow makes of them for CLIP.

    python tests/reference/pillow.py          (requirements.txt says with which versions)

writes tests/data/pictures/: the pictures, drawn by formula, and the pixels that CLIP's preprocessing
gives for them: upright, RGB, short side to `resize`, centre crop to `crop`. `expected.json` lists the
cases. The sides are CLIP's 224 for one picture of each format, and less elsewhere to keep the files small.
"""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

OUT = Path(__file__).resolve().parent.parent / "data" / "pictures"
FULL = {"444.jpg", "420.jpg", "420-small.jpg", "progressive.jpg", "rgb.png", "rgb-exact.png", "column.png", "lossy.webp", "part.gif"}


def drawn(width, height, seed=0):
    """Slow waves of colour, a disc, hard edges and a little corner of stripes, as RGB."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    pixels = np.zeros((height, width, 3))
    for channel in range(3):
        fx, fy = random.uniform(2, 7, 2) / max(width, height)
        pixels[..., channel] = 127 + 120 * np.sin(fx * x + fy * y + random.uniform(0, 6))
    disc = (x - width * 0.55) ** 2 + (y - height * 0.4) ** 2 < (min(width, height) * 0.22) ** 2
    pixels[disc] = [230, 20, 60]
    pixels[(x > width * 0.2) & (x < width * 0.3) & (y > height * 0.5)] = [10, 200, 30]
    stripes = (x < width / 4) & (y < height / 4) & ((x + y).astype(int) % 4 < 2)
    pixels[stripes] = [250, 240, 20]
    return pixels.clip(0, 255).round().astype(np.uint8)


def rgb(width, height, seed=0):
    return Image.fromarray(drawn(width, height, seed))


def ramp(width, height):
    """An alpha channel that reaches both ends."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray((255 * ((x // 7 + y // 7) % 5) // 4).astype(np.uint8))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, colour, rows, interlace=0, before=b""):
    """A PNG by hand, for what Pillow does not write. `rows` are packed, without filter bytes."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def adam7(pixels):
    """The rows of the seven passes of an interlaced picture."""
    for y0, x0, dy, dx in [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]:
        part = pixels[y0::dy, x0::dx]
        if part.size:
            yield from (row.tobytes() for row in part)


def samples16(array):
    return [row.astype(">u2").tobytes() for row in array]


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def saved(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def jpegs():
    wide, tall, small = rgb(300, 200, 1), rgb(170, 301, 2), rgb(97, 75, 3)
    yield "444.jpg", saved(wide, "JPEG", quality=90, subsampling=0)
    yield "422.jpg", saved(wide, "JPEG", quality=85, subsampling=1)
    yield "420.jpg", saved(tall, "JPEG", quality=75, subsampling=2)
    yield "420-small.jpg", saved(small, "JPEG", quality=60, subsampling=2)
    yield "420-large.jpg", saved(rgb(701, 523, 4), "JPEG", quality=40, subsampling=2)
    yield "progressive.jpg", saved(wide, "JPEG", quality=80, subsampling=2, progressive=True)
    yield "restart.jpg", saved(small, "JPEG", quality=80, restart_marker_blocks=3)
    yield "grey.jpg", saved(small.convert("L"), "JPEG", quality=85)
    yield "cmyk.jpg", saved(small.convert("CMYK"), "JPEG", quality=85)
    yield "one-pixel.jpg", saved(rgb(1, 1), "JPEG")
    for orientation in range(1, 9):
        yield f"exif{orientation}.jpg", saved(rgb(60, 40, 5), "JPEG", quality=80, exif=exif(orientation))
    yield "tall-exif6.jpg", saved(rgb(260, 100, 5), "JPEG", quality=80, exif=exif(6))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    yield "xmp.jpg", saved(rgb(60, 40, 5), "JPEG", quality=80, xmp=xmp)


def pngs():
    random = np.random.default_rng(7)
    picture = rgb(130, 90, 6)
    colours = drawn(130, 90, 6).astype(np.uint32)
    grey = np.asarray(picture.convert("L")).astype(np.uint32)
    low = random.integers(0, 256, grey.shape)
    yield "rgb.png", saved(picture, "PNG", optimize=True)
    yield "rgb-exact.png", saved(rgb(224, 224, 8), "PNG", optimize=True)
    rgba = picture.copy()
    rgba.putalpha(ramp(130, 90))
    yield "rgba.png", saved(rgba, "PNG", optimize=True)
    yield "grey.png", saved(picture.convert("L"), "PNG", optimize=True)
    yield "grey-alpha.png", saved(rgba.convert("LA"), "PNG", optimize=True)
    yield "bilevel.png", saved(picture.convert("1"), "PNG", optimize=True)
    palette = picture.quantize(200)
    yield "palette.png", saved(palette, "PNG", optimize=True)
    yield "palette-transparent.png", saved(palette, "PNG", optimize=True, transparency=bytes(range(200)))
    yield "palette4.png", saved(picture.quantize(13), "PNG", optimize=True, bits=4)
    yield "palette2.png", saved(picture.quantize(4), "PNG", optimize=True, bits=2)
    yield "palette1.png", saved(picture.quantize(2), "PNG", optimize=True, bits=1)
    for bits in (2, 4):
        levels = (grey >> (8 - bits)).astype(np.uint8)
        per_byte = 8 // bits
        padded = np.pad(levels, ((0, 0), (0, -levels.shape[1] % per_byte)))
        packed = sum(padded[:, i::per_byte] << (8 - bits * (i + 1)) for i in range(per_byte))
        yield f"grey{bits}.png", png(130, 90, bits, 0, [row.astype(np.uint8).tobytes() for row in packed])
    # Values around 255, where Pillow clips.
    dark = np.where(grey < 128, grey * 2, grey * 257)
    yield "grey16.png", png(130, 90, 16, 0, samples16(dark))
    yield "grey-alpha16.png", png(40, 30, 16, 4, samples16(np.stack([grey * 256 + low, low * 257], -1)[:30, :40].reshape(30, -1)))
    noisy = colours * 256 + random.integers(0, 256, colours.shape)
    yield "rgb16.png", png(50, 40, 16, 2, samples16(noisy[:40, :50].reshape(40, -1)))
    rgba16 = np.concatenate([noisy, low[..., None] * 257], -1)
    yield "rgba16.png", png(50, 40, 16, 6, samples16(rgba16[:40, :50].reshape(40, -1)))
    yield "interlaced.png", png(130, 90, 8, 2, adam7(drawn(130, 90, 6)), interlace=1)
    yield "grey-transparent.png", png(130, 90, 8, 0, [row.tobytes() for row in grey.astype(np.uint8)], before=chunk(b"tRNS", b"\0\x80"))
    yield "exif6.png", saved(picture, "PNG", optimize=True, exif=exif(6))
    yield "column.png", saved(rgb(1, 10000, 9), "PNG", optimize=True)
    # More than twice as much is taken from its height as from its width: Pillow filters its columns first.
    yield "tall.png", saved(rgb(100, 260, 9), "PNG", optimize=True)
    yield "row.png", saved(rgb(5000, 3, 9), "PNG", optimize=True)


def webps():
    wide = rgb(250, 180, 10)
    yield "lossy.webp", saved(wide, "WEBP", quality=80)
    yield "lossy-small.webp", saved(rgb(61, 83, 11), "WEBP", quality=50)
    yield "lossless.webp", saved(rgb(110, 90, 12), "WEBP", lossless=True)
    translucent = rgb(110, 90, 12)
    translucent.putalpha(ramp(110, 90))
    yield "lossy-alpha.webp", saved(translucent, "WEBP", quality=80)
    yield "lossless-alpha.webp", saved(translucent, "WEBP", lossless=True, exact=True)
    yield "exif8.webp", saved(wide, "WEBP", quality=60, exif=exif(8))
    frames = [translucent, rgb(110, 90, 13).convert("RGBA")]
    yield "animated.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, exact=True)
    yield "animated-lossy.webp", saved(wide, "WEBP", save_all=True, append_images=[rgb(250, 180, 14)], quality=70)


def gif(screen, place, transparent=None, interlace=False, palette="global", background=3):
    """A GIF by hand: a first frame that covers part of the screen. Codes of 9 bits, the table cleared before it grows."""
    width, height = screen
    left, top, w, h = place
    indices = np.asarray(rgb(w, h, 15).quantize(16)).astype(int) % 16
    table = bytes(int(v) for v in np.random.default_rng(16).integers(0, 256, 48))
    if palette == "identity":
        table = bytes(v for i in range(256) for v in (i, i, i))
        indices = indices * 16
    size = {48: 3, 768: 7}[len(table)]
    bits = 8
    order = [*range(0, h, 8), *range(4, h, 8), *range(2, h, 4), *range(1, h, 2)] if interlace else range(h)
    codes = []
    for at, value in enumerate(indices[list(order)].ravel()):
        if at % 200 == 0:
            codes.append(256)
        codes.append(int(value))
    codes.append(257)
    packed = sum(code << (9 * at) for at, code in enumerate(codes)).to_bytes(len(codes) * 9 // 8 + 1, "little")
    blocks = b"".join(bytes([len(packed[i : i + 255])]) + packed[i : i + 255] for i in range(0, len(packed), 255))
    local = palette == "local"
    flags = 0 if local else 0x80 | size
    out = b"GIF89a" + struct.pack("<HHBBB", width, height, flags, background, 0) + (b"" if local else table)
    if transparent is not None:
        out += b"!\xf9\x04" + struct.pack("<BHB", 1, 0, transparent) + b"\0"
    flags = (0x40 if interlace else 0) | (0x80 | size if local else 0)
    out += b"," + struct.pack("<HHHHB", left, top, w, h, flags) + (table if local else b"")
    return out + bytes([bits]) + blocks + b"\0;"


def gifs():
    yield "palette.gif", saved(rgb(120, 100, 17).quantize(64), "GIF")
    yield "animated.gif", saved(rgb(90, 70, 18).quantize(32), "GIF", save_all=True, append_images=[rgb(90, 70, 19).quantize(32)])
    yield "grey.gif", saved(rgb(90, 70, 18).convert("L"), "GIF")
    yield "part.gif", gif((100, 80), (20, 10, 50, 60))
    yield "part-transparent.gif", gif((100, 80), (20, 10, 50, 60), transparent=5)
    yield "past-the-screen.gif", gif((40, 30), (20, 10, 50, 60))
    yield "interlaced.gif", gif((70, 61), (0, 0, 70, 61), interlace=True)
    yield "local.gif", gif((70, 60), (0, 0, 70, 60), palette="local")
    yield "identity.gif", gif((100, 80), (20, 10, 50, 60), palette="identity", transparent=100)


def prepared(picture, resize, crop, resample):
    """What `CLIPImageProcessor` does to a picture before it scales the pixels."""
    picture = ImageOps.exif_transpose(picture).convert("RGB")
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    length = int(resize * long / short)
    size = (resize, length) if width <= height else (length, resize)
    picture = picture.resize(size, resample)
    left, top = (size[0] - crop) // 2, (size[1] - crop) // 2
    # Where the picture is smaller than the crop, `Image.crop` fills with black, as `center_crop` does.
    return picture.crop((left, top, left + crop, top + crop))


def cases(name):
    """Sides and filter of each case of a picture."""
    if name.startswith("tall"):
        yield 40, 40, "bicubic"
        yield 40, 104, "lanczos"
    elif name in FULL:
        yield 224, 224, "bicubic"
    else:
        yield (48, 48, "bicubic") if name.startswith("exif") else (96, 96, "bicubic")
    if name in ("rgb.png", "420-large.jpg"):
        for resample in ("nearest", "bilinear", "box", "hamming", "lanczos"):
            yield 80, 64, resample
        yield 151, 151, "nearest"
        yield 50, 64, "bicubic"
        yield 51, 80, "bicubic"


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    listed = []
    for make in (jpegs, pngs, webps, gifs):
        for name, data in make():
            (OUT / name).write_bytes(data)
            for resize, crop, resample in cases(name):
                expected = f"{name}.{resize}-{crop}-{resample}.png"
                picture = Image.open(io.BytesIO(data))
                pixels = prepared(picture, resize, crop, Image.Resampling[resample.upper()])
                pixels.save(OUT / expected, optimize=True)
                listed.append({"picture": name, "resize": resize, "crop": crop, "resample": resample, "expected": expected})
    (OUT / "expected.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in listed) + "\n]\n")
    total = sum(path.stat().st_size for path in OUT.iterdir())
    print(f"{len(listed)} cases, {total} bytes in {OUT}")


if __name__ == "__main__":
    main()
