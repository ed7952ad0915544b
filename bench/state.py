"""Times puts and gets of dicts and queues, and beside them the client's own floor, in turns; then a queue between containers.

The floor is one unary round trip (FunctionGetCurrentStats) of the same client on the same connection. Prints JSON.
"""

import json
import os
import time

import modal

app = modal.App("bench-state")

CONTAINERS = 8


@app.function(max_containers=CONTAINERS)
def produce(queue: modal.Queue, first: int, count: int):
    queue.put("ready", partition="signs")
    queue.get(partition="begin", timeout=300)
    for number in range(first, first + count):
        queue.put(number)


@app.function(max_containers=CONTAINERS)
def consume(queue: modal.Queue):
    queue.put("ready", partition="signs")
    taken = []
    while (item := queue.get(timeout=300)) is not None:
        taken.append(item)
    return taken


def timed(work, times):
    start = time.perf_counter()
    work()
    times.append((time.perf_counter() - start) * 1000)


def between_containers(count: int):
    """Answers items per second, from the first put to the last get."""
    with modal.Queue.ephemeral() as queue:
        consumers = [consume.spawn(queue) for _ in range(CONTAINERS)]
        producers = [produce.spawn(queue, each * count, count) for each in range(CONTAINERS)]
        for _ in range(2 * CONTAINERS):
            queue.get(partition="signs", timeout=300)
        start = time.perf_counter()
        queue.put_many([None] * CONTAINERS, partition="begin")
        for each in producers:
            each.get()
        queue.put_many([None] * CONTAINERS)
        taken = [item for each in consumers for item in each.get()]
        seconds = time.perf_counter() - start
    assert sorted(taken) == list(range(CONTAINERS * count)), f"{len(taken)} items"
    return len(taken) / seconds


@app.local_entrypoint()
def main():
    rounds = int(os.environ.get("BENCH_ROUNDS", "300"))
    with modal.Dict.ephemeral() as d, modal.Queue.ephemeral() as q:
        for warm_up in (True, False):
            times = {"floor": [], "Dict.put": [], "Dict.get": [], "Queue.put": [], "Queue.get": []}
            for number in range(50 if warm_up else rounds):
                timed(produce.get_current_stats, times["floor"])
                timed(lambda: d.put("key", number), times["Dict.put"])
                timed(lambda: d.get("key"), times["Dict.get"])
                timed(lambda: q.put(number), times["Queue.put"])
                timed(q.get, times["Queue.get"])
    print(json.dumps({"times": times, "rate": between_containers(int(os.environ.get("BENCH_ITEMS", "300")))}))
