"""Many calls of empty functions by one stock client: reads the name of a measurement from stdin, prints its result as JSON.

`seconds` is what it took, `count` how many calls that were; `samples` are milliseconds of single ones.
"""

import asyncio
import json
import sys
import time

import modal

app = modal.App("bench-throughput")
noted: list[float] = []


@app.function(max_containers=1)
def one(number):
    return number


@app.function(max_containers=2)
def two(number):
    return number


@app.function(max_containers=1)
@modal.concurrent(max_inputs=100)
async def one_concurrent(number):
    return number


@app.function(max_containers=2)
@modal.concurrent(max_inputs=100)
async def two_concurrent(number):
    return number


@app.function(max_containers=1)
@modal.batched(max_batch_size=49, wait_ms=50)
def batched(numbers):
    return numbers


@app.cls(max_containers=1)
class Counter:
    @modal.enter()
    def begin(self):
        self.count = 0

    @modal.method()
    def add(self, number):
        self.count += number
        return self.count


@app.function(max_containers=1, timeout=3600)
def asleep(number):
    """Keeps its only container, so that what is called besides waits."""
    time.sleep(3600)


@app.function(max_containers=1)
def note(at=None):
    """When something happened in another container; without, all that was noted."""
    if at is not None:
        noted.append(at)
    return noted


@app.function(max_containers=1)
async def cancelled():
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        await note.remote.aio(time.time())
        raise


def timed(count, work):
    began = time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - began, "count": count}


def mapped(function, count):
    function.remote(0)  # its container is there

    def work():
        assert len(list(function.map(range(count), order_outputs=False))) == count

    return timed(count, work)


async def callers(tasks, seconds):
    """How many calls so many tasks of one process get answered."""
    await one_concurrent.remote.aio(0)
    until = time.perf_counter() + seconds

    async def call():
        answered = 0
        while time.perf_counter() < until:
            await one_concurrent.remote.aio(0)
            answered += 1
        return answered

    began = time.perf_counter()
    answered = sum(await asyncio.gather(*(call() for _ in range(tasks))))
    return {"seconds": time.perf_counter() - began, "count": answered}


async def spawned(function, count, in_flight):
    numbers = iter(range(count))

    async def spawn():
        for number in numbers:
            await function.spawn.aio(number)

    began = time.perf_counter()
    await asyncio.gather(*(spawn() for _ in range(in_flight)))
    return {"seconds": time.perf_counter() - began, "count": count}


def cancels(count):
    note.remote()
    samples = []
    for _ in range(count):
        call = cancelled.spawn()
        while not cancelled.get_current_stats().num_running_inputs:
            time.sleep(0.01)
        time.sleep(1.2)  # it has begun to sleep; and its client takes a second between two that are cancelled
        before, began = len(note.remote()), time.time()
        call.cancel()
        while len(heard := note.remote()) == before:
            time.sleep(0.01)
        samples.append((heard[-1] - began) * 1000)
    return {"samples": samples}


def sequence(count):
    add = Counter().add
    add.remote(1)
    return timed(count, lambda: [add.remote(1) for _ in range(count)])


def calls(count):
    one.remote(0)
    return timed(count, lambda: [one.remote(0) for _ in range(count)])


measurements = {
    "calls": calls,
    "map, 1 container": lambda count: mapped(one, count),
    "map, 2 containers": lambda count: mapped(two, count),
    "map, 1 container, @concurrent": lambda count: mapped(one_concurrent, count),
    "map, 2 containers, @concurrent": lambda count: mapped(two_concurrent, count),
    "map, @batched of 49": lambda count: mapped(batched, count),
    "method calls": sequence,
    "method map": lambda count: mapped(Counter().add, count),
    "1 caller": lambda seconds: asyncio.run(callers(1, seconds)),
    "100 callers": lambda seconds: asyncio.run(callers(100, seconds)),
    "cancel": cancels,
    "spawn.aio, 50 in flight": lambda count: asyncio.run(spawned(asleep, count, 50)),
    "spawn_map": lambda count: timed(count, lambda: asleep.spawn_map(range(count))),
}


@app.local_entrypoint()
def main():
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(measurements[request["name"]](request["amount"])), flush=True)
