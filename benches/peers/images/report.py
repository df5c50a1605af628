"""The tables: every contender, and ours against the best of each library at each recall."""

from compare import TARGETS

#: What a ratio is where the least `ef` finds more than was asked for: ours, theirs.
BOUND = {(False, False): "", (True, False): "≥ ", (False, True): "≤ ", (True, True): "≈ "}


def best(rows, target, clock):
    """By group, the row that is fastest at a recall."""
    found = {}
    for row in rows:
        at = row["at"][str(target)]
        if at and (row["group"] not in found or at[clock] > found[row["group"]]["at"][str(target)][clock]):
            found[row["group"]] = row
    return found


def against(rows):
    """At each recall, ours and the best of each other library, with ours divided by theirs."""
    lines = []
    for target in TARGETS:
        by_wall, by_cpu = best(rows, target, "qps"), best(rows, target, "qps_cpu")
        for group, row in by_wall.items():
            at, ours, ours_cpu = row["at"][str(target)], by_wall.get("ours"), by_cpu.get("ours")
            line = {"group": group, "name": row["name"], **at, "recall": target,
                    "build_seconds": row["build"]["seconds"], "build_cpu_seconds": row["build"]["cpu_seconds"]}
            if ours and group != "ours":
                qps = lambda of, clock: of["at"][str(target)][clock]
                line["bound"] = BOUND[bool(ours["at"][str(target)].get("at_least")), bool(at.get("at_least"))]
                line["faster"] = qps(ours, "qps") / at["qps"]
                line["faster_cpu"] = qps(ours_cpu, "qps_cpu") / qps(by_cpu[group], "qps_cpu")
                line["build"] = ours["build"]["seconds"] / row["build"]["seconds"]
                line["build_cpu"] = ours["build"]["cpu_seconds"] / row["build"]["cpu_seconds"]
                line["bytes"] = ours["facts"]["search_bytes"] / row["facts"]["search_bytes"]
            lines.append(line)
        for group in sorted({row["group"] for row in rows} - set(by_wall)):
            most = max((point["recall"] for row in rows if row["group"] == group for point in row["points"]), default=0)
            lines.append({"recall": target, "group": group, "most": most})
    return lines


def markdown(result):
    facts = result["vectors"]
    lines = [f"{facts['n']:,} vectors of {facts['dim']}, {facts['queries']} queries, k = {result['k']}, mean cosine {facts['mean_cosine']} "
             f"(of the 1st, 10th, 100th neighbour {', '.join(map(str, facts['mean_cosine_of_nearest'].values()))}). One thread, "
             f"median of {result['rounds']} rounds; built by {result['threads']} threads.", ""]
    lines += against_table(result["against"]) + [""] + contenders_table(result["rows"], facts["n"])
    machine = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if version)
    lines += ["", f"{machine['cpu']}, {machine['cores']} cores ({', '.join(machine['features'])}), load {machine['load_average_1m']}; {packages}."]
    return "\n".join(lines) + "\n"


def against_table(lines):
    table = ["| recall@10 | | best configuration | ef | queries/s | ours is so many times as fast | by processor time "
             "| ours takes of its building | of its processor time | of its bytes |",
             "|---:|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    for line in lines:
        if "most" in line:
            table.append(f"| {line['recall']} | {line['group']} | not reached: {line['most']:.4f} | – | – | | | | | |")
            continue
        qps = f"{'≥ ' if line.get('at_least') else ''}{line['qps']:,.0f}"
        ratios = [f"{line[key]:.2f}" if key in line else "" for key in ("faster", "faster_cpu", "build", "build_cpu", "bytes")]
        ratios[0] = f"**{line['bound']}{ratios[0]}**" if ratios[0] else ""
        table.append(f"| {line['recall']} | {line['group']} | {line['name']} | {line['ef']:g} | {qps} | {' | '.join(ratios)} |")
    return table


def contenders_table(rows, n):
    targets = " | ".join(f"queries/s at {target}" for target in TARGETS)
    table = ["| | built in s | processor s | most memory not mapped, bytes a vector | bytes a vector: graph + search vectors "
             f"| rerank | {targets} |",
             "|---|---:|---:|---:|---:|---:|" + "---:|" * len(TARGETS)]
    for row in rows:
        build, facts = row["build"], row["facts"]
        if row["error"]:
            table.append(f"| {row['name']} | {build['seconds']:.1f} | {build['cpu_seconds']:.1f} | {row['error']} |")
            continue
        memory = beyond(build)
        memory = "–" if memory is None else f"{memory / n:,.0f}"
        speeds = [f"{at['qps']:,.0f} (ef {at['ef']:g})" if at else "–" for at in row["at"].values()]
        table.append(f"| {row['name']} | {build['seconds']:.1f} | {build['cpu_seconds']:.1f} | {memory} | {facts['search_bytes'] / n:,.0f} | "
                     f"{facts['rerank_bytes'] / n:,.0f} | {' | '.join(speeds)} |")
    return table


def beyond(build):
    """What building took that is no mapped file, without what the process had before."""
    peak, before = build.get("peak_anonymous_bytes"), build.get("anonymous_bytes_before")
    return None if peak is None or before is None else max(peak - before, 0)
