"""Calls a deployed function ten times a second until it is told a line; says which editions answered, and how long the slowest took."""

import asyncio
import json
import sys
import time

import modal

called = modal.Function.from_name("rolling", "called")
answers: dict[str, int] = {}
slowest = 0.0


async def call() -> None:
    global slowest
    began = time.monotonic()
    edition = await called.remote.aio()
    slowest = max(slowest, time.monotonic() - began)
    answers[edition] = answers.get(edition, 0) + 1


async def main() -> None:
    over = asyncio.ensure_future(asyncio.to_thread(sys.stdin.readline))
    calls = []
    await call()
    print("calling", flush=True)
    while not over.done():
        calls.append(asyncio.ensure_future(call()))
        await asyncio.sleep(0.1)
    await asyncio.gather(*calls)
    print(json.dumps({"answers": answers, "slowest": slowest, "calls": len(calls) + 1}))


asyncio.run(main())
