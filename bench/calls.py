"""Times `.remote()` of an empty function, and beside it the client's own floor, in turns; prints JSON.

The floor is one unary round trip (FunctionGetCurrentStats) of the same client on the same connection. A call needs two
in a row: submit, then wait for the output.
"""

import json
import os
import time

import modal

app = modal.App("bench-calls")


@app.function()
def empty():
    pass


def timed(work, times):
    start = time.perf_counter()
    work()
    times.append((time.perf_counter() - start) * 1000)


@app.local_entrypoint()
def main():
    rounds = int(os.environ.get("BENCH_ROUNDS", "500"))
    for warm_up in (True, False):
        remote, floor = [], []
        for _ in range(50 if warm_up else rounds):
            timed(empty.remote, remote)
            timed(empty.get_current_stats, floor)
    print(json.dumps({"remote": remote, "floor": floor}))
    print("calls alone: begin", flush=True)  # what the server's processor time is taken over
    for _ in range(rounds):
        empty.remote()
    print("calls alone: end", flush=True)
