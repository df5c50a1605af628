"""The first searches after the file was dropped from the page cache, each time in a new process."""

import json
import os
import statistics
import subprocess
import sys

TOLD = ["open_us", "prefault_us", "first_query_us", "ten_queries_us", "until_first_answer_us", "major_faults"]


def cold(program, file, queries, ef, times):
    """For every way: the median of each time."""
    rows = []
    for what, drop, options in (("warm", False, []), ("cold", True, []), ("cold, prefault", True, ["--prefault"])):
        answers, left = [], []
        for _ in range(times):
            if drop:
                left.append(dropped(file))
            command = [str(program), "cold", str(file), str(queries), "--ef", str(ef), *options]
            answers.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
        if any(left):
            print(f"{file}: {max(left):.0%} of it stayed in the page cache: has another process mapped it?", file=sys.stderr)
        rows.append({"what": what, "still_cached": max(left, default=None), "samples": answers,
                     **{key: statistics.median([answer[key] or 0 for answer in answers]) for key in TOLD}})
    return rows


def dropped(file):
    """Drops a file from the page cache: the part of some of its pages that is there nonetheless."""
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        size = os.fstat(opened.fileno()).st_size
        # Reading would bring pages: ask for those only that are there, far from each other because of reading ahead.
        there, page = 0, bytearray(1)
        places = range(0, size, max(size // 64, 1))
        for place in places:
            try:
                there += os.preadv(opened.fileno(), [page], place, os.RWF_NOWAIT)
            except BlockingIOError:
                pass
            except OSError:
                return 0.0  # This file system cannot tell.
        return there / len(places)


def markdown(rows, n, ef, times):
    lines = [f"{n:,} vectors, ef {ef}, medians of {times} new processes, µs.", "",
             "| page cache | open | prefault | first query | first ten | start to first answer | major faults |", "|---|---:|---:|---:|---:|---:|---:|"]
    lines += [f"| {row['what']} | " + " | ".join(f"{row[key]:,.0f}" for key in TOLD) + " |" for row in rows]
    return "\n".join(lines) + "\n"
