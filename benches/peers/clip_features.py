"""The features of photographs by PyTorch's CLIP, as a .npy file for `peers/images --features` and `morelet-convert image-index --features`.

    pip install -r benches/peers/models/requirements.txt
    python benches/peers/clip_features.py PHOTOGRAPHS OUT.npy --work W

Without `--clip`, a directory of `transformers`, it is W/clip: a ViT-B/32 with random weights, made if it is not there. Beside OUT.npy a
list names the photographs, a line each, in the order of the rows.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parent / "models"))

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=pathlib.Path, help="a folder; what lies in folders in it too")
    parser.add_argument("out", type=pathlib.Path)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--work", type=pathlib.Path, metavar="W")
    where.add_argument("--clip", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()

    import numpy
    import torch
    from PIL import Image
    from transformers import CLIPImageProcessor, CLIPModel

    from checkpoints import checkpoint

    clip = args.clip or checkpoint(args.work, "clip")
    model = CLIPModel.from_pretrained(clip).eval()
    processor = CLIPImageProcessor.from_pretrained(clip)
    files = sorted(file for file in args.photographs.rglob("*") if file.suffix.lower() in PICTURES)
    if not files:
        sys.exit(f"{args.photographs}: no photographs")
    rows = []
    with torch.inference_mode():
        for start in range(0, len(files), args.batch):
            pictures = [Image.open(file).convert("RGB") for file in files[start:start + args.batch]]
            features = model.get_image_features(**processor(images=pictures, return_tensors="pt"))
            features = getattr(features, "pooler_output", features)
            rows.append(torch.nn.functional.normalize(features, dim=-1).numpy())
            print(f"\r{start + len(pictures)} of {len(files)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    numpy.save(args.out, numpy.concatenate(rows).astype("<f4"))
    args.out.with_suffix(".txt").write_text("".join(f"{file}\n" for file in files))


if __name__ == "__main__":
    main()
