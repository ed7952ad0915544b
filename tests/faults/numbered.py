"""
Numbered calls on demand: `go` on stdin begins a stretch of them, `halt` ends it when all that were made are answered.

Containers of `once` serve one input each, so that some are always starting and some ending; those of the others serve
many, and end when nobody has called for a while. What is printed tells which container ran which number, and which
answered.
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
kept_for_long = {"scaledown_window": 2, "max_containers": 2}

# The longest that an input takes, in seconds: alone, and as one of many.
alone = 0.4
among_many = 0.04

# Given by one generator.
items_each = 30


def say(line: str):
    """In one piece, into which nothing else gets, and of which a keeper that is killed has read all or nothing."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def work(number: int, longest: float, last: str = ""):
    me = os.environ["MODAL_TASK_ID"]
    say(f"begin {number} {me}")
    time.sleep(random.random() * longest)
    say(f"end {number} {me} {last}")
    return number + 1, me


@app.function(single_use_containers=True)
def once(number: int):
    return work(number, alone, "and that was all")


@app.function(**kept_for_long)
def kept(number: int, longest: float = alone):
    return work(number, longest)


@app.cls(**kept_for_long)
class Kept:
    @modal.method()
    def method(self, number: int):
        return work(number, among_many)


@app.function(**kept_for_long)
def items(number: int):
    """When it runs again, what was given before comes from another container than the rest."""
    me = os.environ["MODAL_TASK_ID"]
    say(f"begin {number} {me}")
    for at in range(items_each):
        if at == items_each - 1:
            say(f"end {number} {me}")
        yield at, me
        time.sleep(random.random() * among_many)


def by_spawn(numbers):
    calls = [kept.spawn(number, among_many) for number in numbers]
    return [call.get() for call in calls]


def by_generator(number):
    given = list(items.remote_gen(number))
    assert [at for at, _ in given] == list(range(items_each)), (number, given)
    return number + 1, given[-1][1]


# How numbers are called, and how many at a time.
ways = {
    "once": (lambda numbers: map(once.remote, numbers), 1),
    "kept": (lambda numbers: map(kept.remote, numbers), 1),
    "map": (lambda numbers: kept.map(numbers, kwargs={"longest": among_many}), 60),
    "spawn": (by_spawn, 20),
    "method": (lambda numbers: Kept().method.map(numbers), 40),
    "generator": (lambda numbers: map(by_generator, numbers), 1),
}


def stretch(way: str, numbers, batches: int, halted: Event) -> int:
    """
    Calls one batch after the other, so many at least; answers how many numbers that were. The last one begins when all
    kills are over, and so ends every row of crashes.
    """
    call, size = ways[way]
    for made in itertools.count(1):
        last = halted.is_set() and made >= batches
        batch = list(itertools.islice(numbers, size))
        answers = list(call(batch))
        assert [answer for answer, _ in answers] == [number + 1 for number in batch], (batch, answers)
        for number, (_, container) in zip(batch, answers):
            say(f"answer {number} {container}")
        if last:
            return made * size


@app.local_entrypoint()
def main(first: int = 0, calls: str = "once,once,kept", batches: int = 1):
    numbers = [(way, itertools.count(first + at * 100_000)) for at, way in enumerate(calls.split(","))]
    answered = 0
    with ThreadPoolExecutor() as pool:
        for line in sys.stdin:
            assert line == "go\n", line
            halted = Event()
            stretches = [pool.submit(stretch, way, own, batches, halted) for way, own in numbers]
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
