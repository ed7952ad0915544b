"""Times `.remote()` of an empty function, and beside it the client's own floor, in turns; prints JSON.

The floor is one unary round trip (WorkspaceNameLookup) of the same client on the same connection. A call needs two in
a row: submit, then wait for the output.
"""

import json
import os
import time

import modal
from google.protobuf import empty_pb2

app = modal.App("bench-calls")


@app.function()
def empty():
    pass


async def timed(work, times):
    start = time.perf_counter()
    await work()
    times.append((time.perf_counter() - start) * 1000)


@app.local_entrypoint()
async def main():
    client = await modal.Client.from_env.aio()
    rounds = int(os.environ.get("BENCH_ROUNDS", "500"))
    remote, floor = [], []

    async def lookup():
        await client.stub.WorkspaceNameLookup(empty_pb2.Empty())

    for times in ([], remote):  # the first time round is the warm-up
        for _ in range(rounds if times is remote else 50):
            await timed(empty.remote.aio, times)
            await timed(lookup, [] if times is not remote else floor)
    print(json.dumps({"remote": remote, "floor": floor}))
