"""What bench/logs.ts runs: a function that says when it prints, and one that prints as much as it can be asked to."""

import sys
import time

import modal

app = modal.App("bench-logs")


@app.function()
def paced(count: int, pause: float):
    for number in range(count):
        print(f"stamp {number} {time.time():.6f}", flush=True)
        time.sleep(pause)


@app.function()
def rate(per_second: int, seconds: int):
    """Lines in bursts of a hundredth of a second, as a busy program prints them."""
    burst = per_second // 100
    number = 0
    began = time.monotonic()
    for step in range(seconds * 100):
        sys.stdout.write("".join(f"line {number + at:09d} of a program that is busy\n" for at in range(burst)))
        sys.stdout.flush()
        number += burst
        time.sleep(max(0.0, began + (step + 1) / 100 - time.monotonic()))
    return number, time.monotonic() - began


@app.function(timeout=600)
def flood(seconds: float):
    """As much as it can, and more than anybody reads."""
    line = b"nobody reads all of this\n" * 1000
    deadline = time.monotonic() + seconds
    written = 0
    while time.monotonic() < deadline:
        sys.stdout.buffer.write(line)
        written += 1000
    return written
