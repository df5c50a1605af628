"""A contender as a process of its own, and how it is asked.

The protocol, which `image_search serve` speaks too. On standard output, a JSON object a line:

    {"ready": true, ...}                                              once the index is open
    {"ef": 64, "recall": .99, "seconds": .2, "cpu_seconds": .2}       a pass over all queries by one thread
    {"error": "..."}                                                  it cannot

On standard input, a line a request: the `ef`. It ends when standard input ends. Times are by its own clock, from having the queries to
having the numbers of what was found; comparing with the truth is not in them.
"""

import json
import subprocess
import sys
import time

import numpy

from contenders import contender

#: Inner products so close are equal: a sum of some hundred products in single precision is no more exact.
EQUAL = 1e-6


def build(name, vectors, file, threads):
    """In a process of its own, so that its memory is what building took."""
    base = vectors.base()
    for start in range(0, len(base), 100_000):
        base[start:start + 100_000].max()  # From the disk into memory.
    library = contender(name, base.shape[1])
    before = memory("self", "RssAnon")
    start, cpu = time.perf_counter(), time.process_time()
    library.build(base, threads)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = memory("self", "VmHWM")
    library.save(file)
    saved = time.perf_counter() - start - seconds
    say({"seconds": seconds, "cpu_seconds": cpu, "save_seconds": saved, "peak_bytes": peak, "anonymous_bytes_before": before})


def serve(name, vectors, file, k):
    queries, (truth, scores) = vectors.queries(), vectors.truth()
    good = (scores >= scores[:, k - 1:k] - EQUAL)[:, None, :]
    library = contender(name, queries.shape[1])
    library.load(file)
    say({"ready": True, "file_bytes": file.stat().st_size, "search_bytes": file.stat().st_size, "rerank_bytes": 0})
    for line in sys.stdin:
        if line.strip():
            ef = int(line)
            start, cpu = time.perf_counter(), time.process_time()
            found = library.search(queries, k, ef)
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            hits = ((found.astype("i8")[:, :, None] == truth[:, None, :]) & good).any(2)
            say({"ef": ef, "recall": float(hits.mean()), "queries": len(queries), "seconds": seconds, "cpu_seconds": cpu})


def say(answer):
    print(json.dumps(answer), file=PROTOCOL, flush=True)


#: Libraries print on standard output what they like.
PROTOCOL = sys.stdout


def memory(process, kind):
    """Bytes of memory of a process as Linux names them; 0 where it cannot be told."""
    try:
        with open(f"/proc/{process}/status") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith(kind + ":")), 0)
    except OSError:
        return 0


def run(command, environment):
    """A command to its end: the JSON that it prints, and the most memory beyond mapped files, looked at every 20 ms."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    most = 0
    while process.poll() is None:
        most = max(most, memory(process.pid, "RssAnon"))
        time.sleep(0.02)
    lines = [line for line in process.stdout.read().splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        sys.exit(f"ended with exit code {process.returncode}: {' '.join(command)}")
    return {"peak_anonymous_bytes": most or None} | json.loads(lines[-1])


class Worker:
    """The asking side."""

    def __init__(self, name, command, environment, log):
        self.name, self.error = name, None
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        self.facts = self.answer()

    def answer(self):
        """The next line that is a JSON object, or the end."""
        for line in self.process.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                self.error = answer.get("error")
                return answer
        self.error = f"ended with exit code {self.process.wait()}"
        return {"error": self.error}

    def measure(self, ef):
        """A pass; `None` once it failed."""
        if not self.error:
            try:
                self.process.stdin.write(f"{ef}\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                pass
            answer = self.answer()
        return None if self.error else answer

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
