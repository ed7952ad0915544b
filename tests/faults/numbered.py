"""
Numbered calls on demand: `go` on stdin begins a stretch of them, `halt` ends it when all that were made are answered.

Containers of `once` serve one input each, so that some are always starting and some ending; those of `kept` serve many,
and end when nobody has called for a while. What is printed tells which container ran which number, and which answered.
"""

import itertools
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import modal

app = modal.App("numbered")


def say(line: str):
    """In one piece, into which nothing else gets, and of which a keeper that is killed has read all or nothing."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def work(number: int, last: str = ""):
    me = os.environ["MODAL_TASK_ID"]
    say(f"begin {number} {me}")
    time.sleep(random.random() * 0.4)
    say(f"end {number} {me} {last}")
    return number + 1, me


@app.function(single_use_containers=True)
def once(number: int):
    return work(number, "and that was all")


@app.function(scaledown_window=2)
def kept(number: int):
    return work(number)


def stretch(function, numbers, halted: Event) -> int:
    """Calls one after the other; answers how many."""
    for count in itertools.count():
        if halted.is_set():
            return count
        number = next(numbers)
        answer, container = function.remote(number)
        assert answer == number + 1, (number, answer)
        say(f"answer {number} {container}")


@app.local_entrypoint()
def main(first: int = 0):
    numbers = [itertools.count(first + each * 10_000) for each in range(3)]
    calls = list(zip([once, once, kept], numbers))
    answered = 0
    with ThreadPoolExecutor() as pool:
        for line in sys.stdin:
            assert line == "go\n", line
            halted = Event()
            stretches = [pool.submit(stretch, function, numbers, halted) for function, numbers in calls]
            say("calling")
            assert sys.stdin.readline() == "halt\n"
            halted.set()
            answered += sum(each.result() for each in stretches)
            say(f"answered {answered}")
    say(f"stopped after {answered}")


@app.local_entrypoint()
def leave(count: int):
    """Calls that outlive their client."""
    for number in range(count):
        say(f"call {once.spawn(number).object_id}")
