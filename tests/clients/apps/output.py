"""Prints while it runs, and goes on only when its reader says so: by a file that appears."""

import os
import sys
import time

import modal

app = modal.App("output")


def wait_for(path: str, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


@app.function()
def talk(folder: str):
    print("first words")
    wait_for(f"{folder}/first-seen")
    print("to stderr", file=sys.stderr)
    wait_for(f"{folder}/second-seen")
    os.write(1, b"from the descriptor\n")
    print("an unfinished", end="", flush=True)
    wait_for(f"{folder}/third-seen")
    print(" line")
    print("ünïcödé \N{SNOWMAN}")
    print("x" * 100_000)
    print("last words without an end", end="")


@app.function()
def chatter(lines: int):
    for number in range(lines):
        print(f"line {number}")


@app.local_entrypoint()
def main(folder: str):
    print("before")
    talk.remote(folder)
    print("after")
