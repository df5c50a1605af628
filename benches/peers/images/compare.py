"""Contenders by turns over the same vectors: the recall that each `ef` gives, and what a query takes."""

import contextlib
import math
import statistics
import sys

import contenders

TARGETS = [0.95, 0.99, 0.999]
GRID = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024,
        1280, 1536, 2048]
#: Twice the candidates and so little more is found: it is at its end.
STANDSTILL = 0.0005


def compare(indices, names, options):
    """A row for every contender."""
    rows = [{"name": name, "group": contenders.group(name), "build": indices.built(name)} for name in names]
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(options.work / "contenders.log", "w"))
        workers = []
        for row in rows:
            print(f"{indices.vectors.folder.name}: trying {row['name']}", file=sys.stderr, flush=True)
            worker = indices.worker(row["name"], log)
            stack.callback(worker.end)
            workers.append(worker)
            row |= {"facts": worker.facts, "points": tried(worker, options)}
        for number in range(options.rounds):
            print(f"{indices.vectors.folder.name}: round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            # Whoever comes after a heavy neighbour is not always the same.
            order = list(zip(workers, rows))
            at = number % len(order)
            for worker, row in order[at:] + order[:at]:
                turn(worker, row)
        for worker, row in zip(workers, rows):
            row["error"] = worker.error
    for row in rows:
        summarize(row)
    return rows


def tried(worker, options):
    """A pass at every `ef` of the grid until the recall is what the highest target asks for. Those that count are taken again by
    turns: around each target, or all with `--curve`."""
    points = []
    for ef in options.ef or GRID:
        answer = worker.measure(ef)
        if answer is None:
            break
        points.append({"ef": ef, "recall": answer["recall"], "queries": answer["queries"], "seconds": [], "cpu_seconds": []})
        half = [point["recall"] for point in points if 100 <= point["ef"] <= ef / 2]
        if not options.curve and (answer["recall"] >= TARGETS[-1] or half and answer["recall"] < half[-1] + STANDSTILL):
            break
    if options.curve:
        return points
    wanted = set()
    for target in TARGETS:
        above = crossing(points, target)
        # A target that is not reached has no neighbours; the last point says how far it came.
        wanted |= {len(points) - 1} if above is None else {above, max(above - 1, 0)}
    return [point for at, point in enumerate(points) if at in wanted]


def turn(worker, row):
    for at, point in enumerate(row["points"]):
        # The first pass brings back what others drove from the caches.
        answer = (at > 0 or worker.measure(point["ef"])) and worker.measure(point["ef"])
        if not answer:
            return
        point["seconds"].append(answer["seconds"])
        point["cpu_seconds"].append(answer["cpu_seconds"])


def crossing(points, target):
    """The place of the first point that reaches a recall."""
    return next((at for at, point in enumerate(points) if point["recall"] >= target), None)


def summarize(row):
    for point in row["points"]:
        for clock, told in (("seconds", "qps"), ("cpu_seconds", "qps_cpu")):
            if point[clock]:
                point[told] = point["queries"] / statistics.median(point[clock])
    row["points"] = [point for point in row["points"] if "qps_cpu" in point]
    row["at"] = {str(target): at_recall(row["points"], target) for target in TARGETS}


def at_recall(points, target):
    """Queries a second at a recall, between the neighbouring points: their logarithm linear in that of what is not found."""
    above = crossing(points, target)
    if above is None:
        return None
    high = points[above]
    if above == 0:
        # The least `ef` already finds more: at least so fast.
        return {"ef": high["ef"], "recall": high["recall"], "qps": high["qps"], "qps_cpu": high["qps_cpu"], "at_least": True}
    low = points[above - 1]
    missed = lambda recall, queries: math.log(max(1 - recall, 0.05 / queries))
    queries = high["queries"]
    start, end = missed(low["recall"], queries), missed(high["recall"], queries)
    part = min(1.0, (start - missed(target, queries)) / (start - end))
    between = lambda key: math.exp(math.log(low[key]) + part * (math.log(high[key]) - math.log(low[key])))
    return {"ef": round(between("ef"), 1), "recall": target, "qps": between("qps"), "qps_cpu": between("qps_cpu")}
