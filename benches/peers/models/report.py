"""The table: medians, and each of Morelet's against the fastest peer of its kind."""

import random
import statistics


def summary(samples_us):
    ordered = sorted(samples_us)
    return {
        "n": len(ordered),
        "median_ms": round(statistics.median(ordered) / 1e3, 2),
        "min_ms": round(ordered[0] / 1e3, 2),
        # The nearest rank. Under ten samples it would be the largest: not told.
        "p90_ms": round(ordered[-(-len(ordered) * 9 // 10) - 1] / 1e3, 2) if len(ordered) >= 10 else None,
    }


def ratio(ours, theirs, resamples=2000):
    """The ratio of medians, with the 95 % interval of a bootstrap over the rounds of both."""
    rng = random.Random(1)

    def median(samples):
        return statistics.median(rng.choices(samples, k=len(samples)))

    drawn = sorted(median(ours) / median(theirs) for _ in range(resamples))
    return {
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 3),
        "low": round(drawn[int(resamples * 0.025)], 3),
        "high": round(drawn[int(resamples * 0.975)], 3),
    }


def compare(rows, against):
    """Adds to each row of ours its ratio to the fastest peer of the same workload and kind."""
    for row in rows:
        if row["runtime"] != "morelet" or not row.get("samples_us"):
            continue
        rivals = [
            other for other in rows
            if other["runtime"] != "morelet" and other["workload"] == row["workload"]
            and other["kind"] == against[row["kind"]] and other.get("samples_us")
        ]
        if rivals:
            fastest = min(rivals, key=lambda other: other["median_ms"])
            row["against"] = {"name": fastest["name"]} | ratio(row["samples_us"], fastest["samples_us"])


def markdown(result):
    lines = []
    for workload in result["workloads"]:
        rows = [row for row in result["rows"] if row["workload"] == workload["name"]]
        if not rows:
            continue
        lines += [f"### {workload['what']}", "", "| | median ms | min | p90 | n | against the fastest peer of its kind |", "|---|---:|---:|---:|---:|---|"]
        for row in sorted(rows, key=lambda row: row.get("median_ms", float("inf"))):
            if row.get("error"):
                lines.append(f"| {row['name']} | – | – | – | 0 | {row['error']} |")
                continue
            against = row.get("against")
            told = f"**{against['ratio']:.2f}** ({against['low']:.2f} to {against['high']:.2f}) of {against['name']}" if against else ""
            p90 = "–" if row["p90_ms"] is None else f"{row['p90_ms']:.1f}"
            lines.append(f"| {row['name']} | {row['median_ms']:.1f} | {row['min_ms']:.1f} | {p90} | {row['n']} | {told} |")
        lines.append("")
    machine = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if version)
    lines.append(f"{machine['cpu']}, {result['threads']} threads of {machine['cores']} cores ({', '.join(machine['features'])}); {packages}.")
    return "\n".join(lines) + "\n"
