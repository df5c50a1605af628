"""The same searches among features by Morelet, Faiss, hnswlib and usearch: the same vectors and queries, one thread, by turns.

    pip install -r benches/peers/images/requirements.txt
    python benches/peers/images --work DIR --n 100000 compare             # queries/s at recall .95, .99, .999, bytes, building
    python benches/peers/images --work DIR --n 500000 cold                # first queries after dropping the page cache
    python benches/peers/images --work DIR growth                         # 10,000 to 1 million

`--features X.npy --queries Q.npy` takes other vectors than the made ones. Everything big lies under --work. See benches/README.md.
"""

import argparse
import json
import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))

from contenders import PACKAGES, PEERS

SIZES = [10_000, 30_000, 100_000, 300_000, 1_000_000]


def options():
    parser = argparse.ArgumentParser(prog="images", description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="the folder for everything that is made")
    parser.add_argument("--n", type=int, default=100_000, help="how many made features (default: 100000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--features", type=pathlib.Path, help="a .npy file of features, instead of made ones")
    parser.add_argument("--queries", type=pathlib.Path, help="a .npy file of queries; without it some of the features are held out")
    parser.add_argument("--held-out", type=int, default=1000, help="how many queries (default: 1000)")
    parser.add_argument("--peer", action="append", metavar="NAME", help=f"only these peers; `none` for none (default: {' '.join(PEERS)})")
    parser.add_argument("--ours", action="append", metavar="NAME=OPTIONS",
                        help="options of `image_search build`, as 'l24=--links 24'; `none` for none (default: i8=--vectors i8)")
    parser.add_argument("--program", type=pathlib.Path, help="`image_search`, if cargo is not to compile it")
    parser.add_argument("--threads", type=int, default=2, help="that build; one searches")
    parser.add_argument("--builds", type=int, default=1, help="build so many times; the fastest counts")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--ef", type=int, nargs="+", help="instead of the grid")
    parser.add_argument("--curve", action="store_true", help="measure the whole grid, not only around the targets")
    parser.add_argument("--rebuild", action="store_true", help="build again what is there")
    parser.add_argument("--json", type=pathlib.Path, help="where the result goes (default: in the folder of the vectors)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("vectors", help="only make the vectors and find the true neighbours")
    commands.add_parser("compare", help="all by turns")
    cold = commands.add_parser("cold", help="ours after dropping the page cache")
    cold.add_argument("--cold-ef", type=int, default=100)
    cold.add_argument("--times", type=int, default=7)
    growth = commands.add_parser("growth", help="over the number of vectors, ours alone unless --peer is given")
    growth.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    growth.add_argument("--csv", type=pathlib.Path, help="default: WORK/growth.csv")
    child = commands.add_parser("child")
    child.add_argument("what", choices=["build", "serve"])
    child.add_argument("name")
    child.add_argument("folder", type=pathlib.Path)
    child.add_argument("file", type=pathlib.Path)
    args = parser.parse_args()
    given = args.ours or ["i8=--vectors i8"]
    args.ours = {f"ours:{name}": told for name, _, told in (one.partition("=") for one in given if one != "none")}
    return args


def main():
    args = options()
    if args.command == "child":
        return be_child(args)
    from indices import program

    args.work.mkdir(parents=True, exist_ok=True)
    if args.ours and args.command != "vectors":
        args.program = (args.program or program()).resolve()
    {"vectors": make_vectors, "compare": run_compare, "cold": run_cold, "growth": run_growth}[args.command](args)


def the_vectors(args, n=None):
    import vectors

    if args.features:
        return vectors.given(args.work, args.features, args.queries, args.held_out, args.seed)
    return vectors.made(args.work, n or args.n, args.seed, args.held_out)


def make_vectors(args):
    print(json.dumps(the_vectors(args).facts, indent=1))


def compared(args, found, peers):
    """The result of a comparison."""
    from compare import compare
    from indices import Indices
    from machine import machine, versions
    from report import against

    rows = compare(Indices(found, args), [*args.ours, *(peer for peer in peers if peer != "none")], args)
    return {
        "vectors": found.facts, "k": args.k, "threads": args.threads, "rounds": args.rounds, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine(), "versions": versions(PACKAGES), "ours": args.ours, "against": against(rows), "rows": rows,
    }


def run_compare(args):
    from report import markdown

    found = the_vectors(args)
    result = compared(args, found, args.peer or PEERS)
    save(args.json or found.folder / "result.json", result)
    print(markdown(result), end="")


def run_cold(args):
    from cold import cold, markdown
    from indices import Indices
    from machine import machine

    found = the_vectors(args)
    indices = Indices(found, args)
    result = {"vectors": found.facts, "machine": machine(), "ef": args.cold_ef, "rows": []}
    for name in args.ours:
        indices.built(name)
        rows = cold(args.program, indices.file(name), found.file("queries"), args.cold_ef, args.times)
        result["rows"].append({"name": name, "ways": rows})
        print(f"{name}: {markdown(rows, found.facts['n'], args.cold_ef, args.times)}")
    save(args.json or found.folder / "cold.json", result)


def run_growth(args):
    import growth

    if args.features:
        sys.exit("growth is measured with made features")
    rows, results = [], []
    for n in args.sizes:
        result = compared(args, the_vectors(args, n), args.peer or [])
        results.append(result)
        rows += [growth.row(row, n) for row in result["rows"] if not row["error"]]
        growth.write(args.csv or args.work / "growth.csv", rows)
        save(args.json or args.work / "growth.json", results)
    print(growth.markdown(rows), end="")


def save(file, result):
    file.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {file}", file=sys.stderr)


def be_child(args):
    import worker
    from vectors import Vectors

    # What libraries print goes to standard error, so that standard output is the protocol's alone.
    worker.PROTOCOL = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        if args.what == "build":
            worker.build(args.name, Vectors(args.folder), args.file, args.threads)
        else:
            worker.serve(args.name, Vectors(args.folder), args.file, args.k)
    except Exception as error:
        worker.say({"error": f"{type(error).__name__}: {error}"[:300]})
        raise


if __name__ == "__main__":
    main()
