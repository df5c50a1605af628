"""How time, building and memory grow with the number of vectors: a row a contender and size, written as soon as it is known."""

import csv
import math

from report import beyond

COLUMNS = ["name", "n", "ef_95", "us_95", "us_95_cpu", "ef_99", "us_99", "us_99_cpu", "build_seconds", "build_cpu_seconds", "build_peak_bytes",
           "build_peak_anonymous_bytes", "file_bytes", "search_bytes", "rerank_bytes"]


def row(contender, n):
    build, facts = contender["build"], contender["facts"]
    cells = {"name": contender["name"], "n": n, "build_seconds": round(build["seconds"], 2), "build_cpu_seconds": round(build["cpu_seconds"], 2),
             "build_peak_bytes": build.get("peak_bytes"), "build_peak_anonymous_bytes": beyond(build)}
    for percent, target in (("95", "0.95"), ("99", "0.99")):
        at = contender["at"][target]
        if at:
            cells |= {f"ef_{percent}": at["ef"], f"us_{percent}": round(1e6 / at["qps"], 2), f"us_{percent}_cpu": round(1e6 / at["qps_cpu"], 2)}
    return cells | {key: facts.get(key) for key in ("file_bytes", "search_bytes", "rerank_bytes")}


def write(file, rows):
    with open(file, "w", newline="") as out:
        table = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def markdown(rows):
    lines = ["| | vectors | µs at .95 | µs at .99 | grows with | built in s | processor s | grows with | most memory beyond mapped files, MB "
             "| a vector, bytes | file, MB |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    before = {}
    for cells in rows:
        last = before.get(cells["name"])
        grows = [exponent(last, cells, "us_99_cpu"), exponent(last, cells, "build_cpu_seconds")]
        before[cells["name"]] = cells
        peak = cells["build_peak_anonymous_bytes"] or 0
        number = lambda key: "–" if cells.get(key) is None else f"{cells[key]:,.1f}"
        lines.append(f"| {cells['name']} | {cells['n']:,} | {number('us_95')} | {number('us_99')} | {grows[0]} | {number('build_seconds')} | "
                     f"{number('build_cpu_seconds')} | {grows[1]} | {peak / 1e6:,.1f} | {peak / cells['n']:,.0f} | {(cells['file_bytes'] or 0) / 1e6:,.1f} |")
    return "\n".join(lines) + "\n"


def exponent(last, cells, key):
    """Since the size before: 1 where it grows as the number of vectors does."""
    if not last or not last.get(key) or not cells.get(key) or last["n"] == cells["n"]:
        return ""
    return f"n^{math.log(cells[key] / last[key]) / math.log(cells['n'] / last['n']):.2f}"
