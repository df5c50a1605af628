"""Features to search among, queries held out of them, and the true neighbours of each.

Made features are clustered as CLIP's are:

* an encyclopedia has topics (200), a topic has concepts (one for 40 features; how many features each has is drawn from a Pareto
  distribution with exponent 1.2, so that a few have thousands and most a handful), a concept has pictures;
* a feature is `0.55 topic + 0.55 concept + 0.65 picture`, each a normal vector whose coordinate i has the standard deviation
  (i + 1) ** -0.4, scaled to an expected length of 1: as in CLIP's features, the variance decays slowly over the principal components,
  which are turned by a random rotation;
* to which 0.95 times a direction common to all is added, with two large coordinates (CLIP ViT-B/32 has them at 92 and 133): so two
  features have a cosine of .47 to .49 in the mean;
* then its length is made 1. Queries are drawn with the features and held out.

The same seed and number make the same features; fewer features are not the beginning of more.

A folder has `base.npy` and `queries.npy` (f4), `truth.npy` (the numbers of the nearest 100 of each query, i4, best first), `scores.npy`
(their inner products, f4) and `facts.json`.
"""

import json
import pathlib
import shutil
import sys

import numpy

DIM, TOPICS, PER_CONCEPT = 512, 200, 40
NEAREST = 100
BLOCK = 20_000


class Vectors:
    """A folder of them, opened."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.facts = json.loads((self.folder / "facts.json").read_text())

    def file(self, name):
        return self.folder / f"{name}.npy"

    def base(self):
        return numpy.load(self.file("base"), mmap_mode="r")

    def queries(self):
        return numpy.load(self.file("queries"))

    def truth(self):
        return numpy.load(self.file("truth")), numpy.load(self.file("scores"))


def made(work, n, seed, queries):
    """n features by the generator, made if they are not there."""
    facts = {"made": {"seed": seed, "dim": DIM, "topics": TOPICS, "per_concept": PER_CONCEPT}, "n": n, "queries": queries}
    return prepared(work / f"made-{n}-seed-{seed}", facts, lambda folder: make(folder, n, seed, queries))


def given(work, features, queries, count, seed):
    """Features that somebody else computed; without queries, `count` of them are held out."""
    files = [pathlib.Path(file).resolve() for file in (features, queries) if file]
    known = [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    facts = {"given": known, "held_out": None if queries else [count, seed]}
    return prepared(work / f"given-{files[0].stem}", facts, lambda folder: take(folder, files, count, seed))


def prepared(folder, facts, fill):
    known = folder / "facts.json"
    if not same(known, facts):
        print(f"{folder}: making features and finding the true neighbours", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fill(folder)
        statistics = find_truth(folder)
        known.write_text(json.dumps(facts | statistics, indent=1) + "\n")
    return Vectors(folder)


def same(known, facts):
    if not known.exists():
        return False
    there = json.loads(known.read_text())
    return all(there.get(key) == value for key, value in facts.items())


def make(folder, n, seed, queries):
    world = numpy.random.Generator(numpy.random.PCG64([seed, 0]))
    spectrum = (numpy.arange(DIM) + 1.0) ** -0.4
    spectrum = (spectrum / numpy.linalg.norm(spectrum)).astype("f4")
    rotation = numpy.linalg.qr(world.standard_normal((DIM, DIM)))[0].astype("f4").T
    common = world.standard_normal(DIM)
    common *= 0.8 / numpy.linalg.norm(common)
    common[92] += 0.35
    common[133] -= 0.5
    common = (0.95 * common / numpy.linalg.norm(common)).astype("f4")

    drawn = numpy.random.Generator(numpy.random.PCG64([seed, n]))
    normal = lambda count: drawn.standard_normal((count, DIM), dtype="f4") * spectrum
    topics, count = normal(TOPICS), max(n // PER_CONCEPT, 20)
    concepts = 0.55 * topics[drawn.integers(0, TOPICS, count)] + 0.55 * normal(count)
    sizes = drawn.pareto(1.2, count) + 0.2
    sizes /= sizes.sum()

    def write(name, rows):
        out = numpy.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype="<f4", shape=(rows, DIM))
        for start in range(0, rows, BLOCK):
            block = min(BLOCK, rows - start)
            features = (concepts[drawn.choice(count, block, p=sizes)] + numpy.float32(0.65) * normal(block)) @ rotation + common
            out[start:start + block] = features / numpy.linalg.norm(features, axis=1, keepdims=True)
        out.flush()

    write("base", n)
    write("queries", queries)


def take(folder, files, count, seed):
    features = numpy.load(files[0], mmap_mode="r")
    held_out = numpy.zeros(len(features), bool)
    if len(files) == 1:
        drawn = numpy.random.Generator(numpy.random.PCG64(seed))
        chosen = drawn.choice(len(features), min(count, len(features) // 2), replace=False)
        held_out[chosen] = True
        queries = features[numpy.sort(chosen)]
    else:
        queries = numpy.load(files[1])
    numpy.save(folder / "queries.npy", of_length_one(queries, files[-1]))
    kept = numpy.flatnonzero(~held_out)
    out = numpy.lib.format.open_memmap(folder / "base.npy", mode="w+", dtype="<f4", shape=(len(kept), features.shape[1]))
    for start in range(0, len(kept), BLOCK):
        out[start:start + BLOCK] = of_length_one(features[kept[start:start + BLOCK]], files[0])
    out.flush()


def of_length_one(features, file):
    features = numpy.asarray(features, dtype="<f4")
    lengths = numpy.linalg.norm(features, axis=1, keepdims=True)
    if not (numpy.isfinite(lengths) & (lengths > 0)).all():
        sys.exit(f"{file}: a row without a direction (zero, NaN or infinite)")
    return numpy.ascontiguousarray(features / lengths)


def find_truth(folder):
    """An exact scan in f32; among equals the lower number first."""
    base, queries = numpy.load(folder / "base.npy", mmap_mode="r"), numpy.load(folder / "queries.npy")
    k = min(NEAREST, len(base))
    best = numpy.full((len(queries), 0), 0, "f4"), numpy.full((len(queries), 0), 0, "i4")
    for start in range(0, len(base), BLOCK):
        scores = queries @ base[start:start + BLOCK].T
        ids = numpy.arange(start, start + scores.shape[1], dtype="i4")
        # A few more than k, so that equals at the end are cut by number and not by chance.
        part = numpy.argpartition(-scores, min(k + 20, scores.shape[1] - 1), axis=1)[:, :k + 20]
        scores = numpy.concatenate([best[0], numpy.take_along_axis(scores, part, 1)], 1)
        ids = numpy.concatenate([best[1], ids[part]], 1)
        order = numpy.lexsort((ids, -scores), axis=1)[:, :k]
        best = numpy.take_along_axis(scores, order, 1), numpy.take_along_axis(ids, order, 1)
    numpy.save(folder / "scores.npy", best[0].astype("<f4"))
    numpy.save(folder / "truth.npy", best[1].astype("<i4"))
    some = base[:2000]
    pairs = (some @ some.T)[numpy.triu_indices(len(some), 1)]
    nearest = {str(rank): round(float(best[0][:, rank - 1].mean()), 4) for rank in (1, 10, 100) if rank <= k}
    return {"n": len(base), "dim": base.shape[1], "queries": len(queries), "mean_cosine": round(float(pairs.mean()), 4),
            "mean_cosine_of_nearest": nearest}

