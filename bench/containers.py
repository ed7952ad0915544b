"""The client of bench/containers.ts: each line on stdin is a request, answered by a line of JSON."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import modal

image = modal.Image.debian_slim().add_local_file(
    os.path.join(os.path.dirname(__file__), "interpreter_up.py"), "/root/usercustomize.py"
)
app = modal.App("bench-containers", image=image)


@app.function(single_use_containers=True)
def once():
    """Answers when the interpreter had started, in milliseconds since the epoch."""
    return float(os.environ["BENCH_INTERPRETER_UP"])


@app.function(single_use_containers=True, image=modal.Image.debian_slim())
def plain():
    """The same, for a container that can begin in a starter: nothing is to run before the program."""


@app.function(max_containers=64, cpu=0.0625, scaledown_window=600)
def stay(until):
    """Keeps its container until then, so that no other input can have it; the container goes on without work."""
    time.sleep(max(0, until - time.time()))


def crowd(size, seconds):
    until = time.time() + seconds
    with ThreadPoolExecutor(size) as callers:
        for call in [callers.submit(stay.remote, until) for _ in range(size)]:
            call.result()


@app.local_entrypoint()
def main():
    for line in sys.stdin:
        name, *numbers = line.split()
        answer = {"once": once.remote, "plain": plain.remote, "crowd": crowd}[name](*map(int, numbers))
        print(json.dumps({"answer": answer}), flush=True)
