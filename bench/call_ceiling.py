"""The measurements of throughput.py against a platform that has nothing behind it: reads their names from stdin, prints results as JSON.

`taken` is a function whose inputs a container takes, `answered` one that the server answers by itself, `waiting` one that nobody answers.
"""

import asyncio
import json
import sys

import modal
from throughput import mapped, spawned, timed

taken, answered, waiting = (modal.Function.from_name("ceiling", name) for name in ("taken", "answered", "waiting"))

measurements = {
    "calls": lambda count: timed(count, lambda: [taken.remote(0) for _ in range(count)]),
    "calls, no container": lambda count: timed(count, lambda: [answered.remote(0) for _ in range(count)]),
    "map, 1 container": lambda count: mapped(taken, count),
    "spawn.aio, 50 in flight": lambda count: asyncio.run(spawned(waiting, count, 50)),
    "spawn_map": lambda count: timed(count, lambda: waiting.spawn_map(range(count))),
}

for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(measurements[request["name"]](request["amount"])), flush=True)
