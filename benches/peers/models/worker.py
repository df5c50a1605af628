"""A contender as a process of its own, and how it is asked.

The protocol, for other programs too (`morelet bench --turns` speaks it). On standard output, a JSON object a line:

    {"ready": true, ...}                      once it is loaded and warm; what else it says of itself is kept
    {"samples_us": [...]}                     the answer to a request
    {"error": "..."}                          it cannot

On standard input, a line a request: {"repeat": 3}. It ends when standard input ends. Its times are by its own clock, from having
the ids (or the file's name) to having the hidden states (or the feature).
"""

import json
import subprocess
import sys
import time

WARM_UP = 2


def serve(contender, requests):
    """Answers on standard output until standard input ends."""
    position = 0

    def samples(count):
        nonlocal position
        times = []
        for _ in range(count):
            request = requests[position % len(requests)]
            position += 1
            start = time.perf_counter_ns()
            contender.run(request)
            times.append((time.perf_counter_ns() - start) // 1000)
        return times

    samples(max(WARM_UP, min(len(requests), 16)))
    say({"ready": True})
    for line in sys.stdin:
        if line.strip():
            say({"samples_us": samples(json.loads(line)["repeat"])})


def say(answer):
    print(json.dumps(answer), file=PROTOCOL, flush=True)


#: Libraries print on standard output what they like.
PROTOCOL = sys.stdout


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
                if "error" in answer:
                    self.error = answer["error"]
                return answer
        self.error = f"ended with exit code {self.process.wait()}"
        return {}

    def samples(self, repeat):
        try:
            self.process.stdin.write(json.dumps({"repeat": repeat}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.answer().get("samples_us", [])

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
