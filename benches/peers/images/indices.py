"""Every contender's index in a folder of vectors: built once, measured while it is, and opened by a process that serves."""

import json
import os
import pathlib
import subprocess
import sys

import contenders
import worker

HERE = pathlib.Path(__file__).resolve().parent


class Indices:
    """`options` are the command line's: program, work, threads, builds, k, ours."""

    def __init__(self, vectors, options):
        self.vectors, self.options = vectors, options
        self.folder = vectors.folder / "indices"
        self.folder.mkdir(exist_ok=True)

    def file(self, name):
        return self.folder / name.replace(":", "-")

    def command(self, what, name):
        vectors, file = self.vectors, self.file(name)
        if name.startswith("ours:"):
            program = str(self.options.program)
            if what == "build":
                build = [*self.options.ours[name].split(), "--threads", str(self.options.threads)]
                return [program, "build", str(vectors.file("base")), str(file), *build]
            truth = ["--truth", str(vectors.file("truth")), "--scores", str(vectors.file("scores")), "-k", str(self.options.k)]
            return [program, "serve", str(file), str(vectors.file("queries")), *truth]
        return [sys.executable, str(HERE), "--work", str(self.options.work), "--threads", str(self.options.threads), "-k", str(self.options.k),
                "child", what, name, str(vectors.folder), str(file)]

    def built(self, name):
        """What building took. Built anew only where the builder or its options are others, or by `--rebuild`."""
        known = self.file(name).with_name(self.file(name).name + ".json")
        if name.startswith("ours:"):
            program = self.options.program.stat()
            key = [self.options.ours[name], program.st_mtime_ns, program.st_size, self.options.threads]
        else:
            key = [contenders.version(name), self.options.threads]
        if known.exists() and self.file(name).exists() and not self.options.rebuild:
            facts = json.loads(known.read_text())
            if facts["key"] == key and len(facts.get("times", [])) >= self.options.builds:
                return facts
        builds = []
        for _ in range(self.options.builds):
            print(f"{self.vectors.folder.name}: building {name}", file=sys.stderr, flush=True)
            builds.append(worker.run(self.command("build", name), environment(self.options.threads)))
        # Of several the fastest: what else the machine does only ever slows.
        times = [[build["seconds"], build["cpu_seconds"]] for build in builds]
        facts = {"key": key, "times": times} | min(builds, key=lambda build: build["seconds"])
        known.write_text(json.dumps(facts, indent=1) + "\n")
        return facts

    def worker(self, name, log):
        return worker.Worker(name, self.command("serve", name), environment(1), log)


def environment(threads):
    return os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1"}


def program():
    """`image_search`, compiled."""
    command = ["cargo", "bench", "-p", "morelet-benches", "--no-default-features", "--bench", "image_search", "--no-run", "--message-format=json"]
    told = subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    files = [message["executable"] for message in messages if message.get("target", {}).get("name") == "image_search" and message.get("executable")]
    return pathlib.Path(files[-1])
