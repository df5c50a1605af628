"""Who searches: one class a library, all with the same methods.

`build` makes an index of the rows of a matrix by some threads, `save` writes it, `load` opens what was written, `search` gives the
numbers of the k nearest rows of every query by one thread.

A contender is named by its library and what it is built with: `faiss:HNSW32-c200`, `hnswlib:M16-c200`, `usearch:i8-M32-c128`. `c` is
`efConstruction`, which usearch calls `expansion_add`. The metric is the inner product, unless the name ends in `-l2` (Faiss, hnswlib) or
`-cos` (usearch). Of features of length 1 all rank the same; but once quantized their lengths differ, and then the inner product is faster
and finds less. Of ours the name says nothing: `ours:NAME` stands for options of `image_search build`.
"""

import importlib.metadata
import re

#: Each with the parameters that its authors give, and those that are better at high recall.
PEERS = [
    "faiss:HNSW32-c100", "faiss:HNSW32-c200", "faiss:HNSW32_SQ8-c100", "faiss:HNSW32_SQ8-c100-l2", "faiss:HNSW32_SQ8-c200-l2",
    "hnswlib:M16-c200", "hnswlib:M32-c200",
    "usearch:f16-M16-c128", "usearch:f16-M32-c128", "usearch:f16-M16-c128-cos", "usearch:f16-M32-c128-cos",
    "usearch:i8-M16-c128", "usearch:i8-M32-c128", "usearch:i8-M16-c128-cos", "usearch:i8-M32-c128-cos",
]
PACKAGES = ["faiss-cpu", "hnswlib", "usearch", "numpy"]


def group(name):
    """What is compared with each other's best: `faiss HNSW32`, `faiss HNSW32_SQ8`, `hnswlib`, `usearch f16`, `usearch i8`, `ours`."""
    library, built = name.split(":", 1)
    return library if library in ("hnswlib", "ours") else f"{library} {built.split('-')[0]}"


def contender(name, dim):
    library, built = name.split(":", 1)
    return {"faiss": Faiss, "hnswlib": Hnswlib, "usearch": Usearch}[library](built, dim)


def version(name):
    library = name.split(":", 1)[0]
    return importlib.metadata.version({"faiss": "faiss-cpu"}.get(library, library))


def number(built, letter):
    return int(re.search(rf"(?:^|-){letter}(\d+)", built)[1])


class Faiss:
    def __init__(self, built, dim):
        import faiss

        self.faiss, self.built, self.dim = faiss, built, dim

    def build(self, base, threads):
        self.faiss.omp_set_num_threads(threads)
        links, *quantized = self.built.split("-")[0].split("_")
        factory = ",".join([links, *(quantized or ["Flat"])])
        metric = self.faiss.METRIC_L2 if self.built.endswith("-l2") else self.faiss.METRIC_INNER_PRODUCT
        self.index = self.faiss.index_factory(self.dim, factory, metric)
        self.index.hnsw.efConstruction = number(self.built, "c")
        self.index.train(base)
        self.index.add(base)

    def save(self, file):
        self.faiss.write_index(self.index, str(file))

    def load(self, file):
        self.index = self.faiss.read_index(str(file))
        self.faiss.omp_set_num_threads(1)

    def search(self, queries, k, ef):
        self.index.hnsw.efSearch = ef
        return self.index.search(queries, k)[1]


class Hnswlib:
    def __init__(self, built, dim):
        import hnswlib

        self.built, self.index = built, hnswlib.Index("l2" if built.endswith("-l2") else "ip", dim)

    def build(self, base, threads):
        self.index.init_index(len(base), M=number(self.built, "M"), ef_construction=number(self.built, "c"))
        self.index.add_items(base, num_threads=threads)

    def save(self, file):
        self.index.save_index(str(file))

    def load(self, file):
        self.index.load_index(str(file))

    def search(self, queries, k, ef):
        self.index.set_ef(ef)
        return self.index.knn_query(queries, k, num_threads=1)[0]


class Usearch:
    """Searched from its `view` of the file."""

    def __init__(self, built, dim):
        from usearch.index import Index

        self.Index, self.built, self.dim = Index, built, dim

    def build(self, base, threads):
        import numpy

        self.index = self.Index(
            ndim=self.dim, metric="cos" if self.built.endswith("-cos") else "ip", dtype=self.built.split("-")[0],
            connectivity=number(self.built, "M"), expansion_add=number(self.built, "c"),
        )
        self.index.add(numpy.arange(len(base)), base, threads=threads)

    def save(self, file):
        self.index.save(str(file))

    def load(self, file):
        self.index = self.Index.restore(str(file), view=True)

    def search(self, queries, k, ef):
        self.index.expansion_search = ef
        return self.index.search(queries, k, threads=1).keys
