"""The same work by Morelet, PyTorch, ONNX Runtime and CTranslate2: the same weights, threads and inputs, by turns.

    pip install -r benches/peers/models/requirements.txt
    python benches/peers/models --work DIR                                        # the peers alone
    python benches/peers/models --work DIR --ours BIN_DIR --rounds 15             # `morelet` and `morelet-convert` beside them

Everything big lies under --work (about 12 GB, of which 3 are kept only to save time): checkpoints, ONNX files, Morelet's weights. See
benches/README.md.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))

from checkpoints import SEED, SIZES, checkpoint
from machine import machine, versions
from report import compare, markdown, summary
from workloads import AGAINST, PEERS, peers, workloads

PACKAGES = ["torch", "transformers", "onnxruntime", "onnx", "ctranslate2", "pillow", "numpy"]
OURS = ["f32", "f16", "q8", "q4"]


def options():
    parser = argparse.ArgumentParser(prog="models", description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="the folder for everything that is made")
    parser.add_argument("--model", choices=SIZES, default="xlm-r-large")
    parser.add_argument("--workload", action="append", choices=["text-512", "text-128", "clip-image"], help="only these")
    parser.add_argument("--kind", action="append", choices=list(PEERS), help="only peers of these kinds")
    parser.add_argument("--peer", action="append", help="only these peers, as ort:int8-channel; `none` for none")
    parser.add_argument("--ours", type=pathlib.Path, metavar="BIN_DIR", help="the folder of `morelet` and `morelet-convert`")
    parser.add_argument("--precision", action="append", choices=OURS, help="these of ours (default: f32 and q8)")
    parser.add_argument("--convert-option", action="append", default=[], help="handed to `morelet-convert model`, as --convert-option=--target=cpu")
    parser.add_argument("--contender", action="append", default=[], metavar="NAME:WORKLOAD:KIND=COMMAND",
                        help="one more program that speaks the protocol of worker.py; {threads} and {requests} are filled in")
    parser.add_argument("--images", type=pathlib.Path, help="a folder of JPEG files (default: 16 made-up ones of 640 × 480)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between turns, in which idle threads go to sleep")
    parser.add_argument("--json", type=pathlib.Path, help="where the result goes (default: WORK/result.json)")
    parser.add_argument("--hidden-states", action="store_true", help="write PyTorch's f32 answers under WORK/hidden and end")
    parser.add_argument("--serve", nargs=2, metavar=("PEER", "WORKLOAD"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = options()
    args.work.mkdir(parents=True, exist_ok=True)
    known = {workload.name: workload for workload in workloads(args.model)}
    if args.serve:
        return serve_one(args, known[args.serve[1]])
    if args.hidden_states:
        from hidden_states import write

        return write(args.work, args.model, args.threads)
    chosen = [known[name] for name in args.workload or known]
    rows = []
    with open(args.work / "contenders.log", "w") as log:
        for workload in chosen:
            checkpoint(args.work, workload.checkpoint)
            entries = list(contenders(args, workload))
            # Only what is compared takes turns, as everything at once would need 20 GB of memory.
            for kind in PEERS:
                group = [entry for entry in entries if AGAINST.get(entry[2], entry[2]) == kind]
                rows += by_turns(args, workload, group, log)
    compare(rows, AGAINST)
    result = {
        "threads": args.threads, "rounds": args.rounds, "seed": SEED, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine(), "versions": versions(PACKAGES),
        "workloads": [{"name": workload.name, "what": workload.what} for workload in chosen], "rows": rows,
    }
    (args.json or args.work / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    print(markdown(result), end="")


def contenders(args, workload):
    """Runtime, name, kind and command of each."""
    itself = [sys.executable, str(pathlib.Path(__file__).parent), "--work", str(args.work), "--model", args.model, "--threads", str(args.threads)]
    itself += ["--images", str(args.images)] if args.images else []
    for kind, name in peers(workload, args.kind or PEERS):
        if not args.peer or name in args.peer:
            yield name.split(":")[0], name, kind, itself + ["--serve", name, workload.name]
    if args.ours:
        for precision in args.precision or ["f32", "q8"]:
            yield "morelet", f"morelet {precision}", precision, ours(args, workload, precision)
    for given in args.contender:
        label, command = given.split("=", 1)
        name, only, kind = label.split(":")
        if only == workload.name:
            requests = args.work / f"{workload.name}.requests.json"
            requests.write_text(json.dumps(workload.requests(args.work, args.images)))
            yield "morelet", name, kind, command.format(threads=args.threads, requests=requests).split()


def ours(args, workload, precision):
    """Converts the very weights once by each converter, and asks for the same inputs."""
    weights = args.work / f"{workload.checkpoint}.{precision}.weights"
    converter = args.ours / "morelet-convert"
    known, now = weights.with_suffix(".converter"), f"{converter.stat().st_mtime_ns} {args.convert_option}"
    if not weights.exists() or not known.exists() or known.read_text() != now:
        command = [converter, "model", args.work / workload.checkpoint, "-o", weights, "--quantize", precision]
        subprocess.run([*map(str, command), *args.convert_option], check=True, stdout=sys.stderr)
        known.write_text(now)
    requests = args.work / f"{workload.name}.requests.json"
    requests.write_text(json.dumps(workload.requests(args.work, args.images)))
    return [str(args.ours / "morelet"), "bench", str(weights), "--requests", str(requests), "--turns",
            "--threads", str(args.threads), "--device", "cpu"]


def by_turns(args, workload, entries, log):
    """The rows of a group. Every contender is loaded; then each round asks all of them, so that what else the machine does falls on all."""
    from worker import Worker

    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "MKL_NUM_THREADS": str(args.threads), "TRANSFORMERS_VERBOSITY": "error",
                                "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONDONTWRITEBYTECODE": "1"}
    rows, workers = [], []
    with contextlib.ExitStack() as stack:
        for runtime, name, kind, command in entries:
            print(f"{workload.name}: loading {name}", file=sys.stderr, flush=True)
            worker = Worker(name, command, environment, log)
            stack.callback(worker.end)
            workers.append(worker)
            rows.append({"workload": workload.name, "runtime": runtime, "name": name, "kind": kind, "facts": worker.facts, "samples_us": []})
        repeat = 1 if workload.tokens else len(workload.requests(args.work, args.images))
        for number in range(args.rounds if entries else 0):
            print(f"{workload.name}: round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
            # Whoever comes after a heavy neighbour is not always the same.
            order = list(zip(workers, rows))
            for worker, row in order[number % len(order):] + order[:number % len(order)]:
                if not worker.error:
                    time.sleep(args.pause)
                    row["samples_us"] += worker.samples(repeat)
    for worker, row in zip(workers, rows):
        if worker.error or not row["samples_us"]:
            row["error"] = worker.error or "no samples"
            row["samples_us"] = []
        else:
            row |= summary(row["samples_us"])
    return rows


def serve_one(args, workload):
    import worker
    from contenders import contender

    # What libraries print goes to standard error, so that standard output is the protocol's alone.
    worker.PROTOCOL = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        model = contender(args.serve[0], args.work, checkpoint(args.work, workload.checkpoint), args.threads)
        worker.serve(model, workload.requests(args.work, args.images))
    except Exception as error:
        worker.say({"error": f"{type(error).__name__}: {error}"[:300]})
        raise


if __name__ == "__main__":
    main()
