"""Stops in the middle, where somebody is there to look."""

import sys
import time

import modal

app = modal.App("interactive")


@app.function()
def looked_into(secret: int):
    print("before")
    doubled = secret * 2
    modal.debug()
    print("after", doubled, sys.stdin.isatty())
    return doubled


@app.function()
def stops():
    total = 3
    breakpoint()
    print("total is", total)


@app.function()
def progress():
    for percent in (10, 50, 100):
        print(f"\r\x1b[32m{percent:3d} %\x1b[0m", end="", flush=True)
        time.sleep(0.15)
    print(" done")


@app.local_entrypoint()
def main():
    print("got", looked_into.remote(21))
