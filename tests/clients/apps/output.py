"""Prints while it runs, and goes on only when its reader says so."""

import os
import sys

import modal
import signs

image = modal.Image.debian_slim().add_local_python_source("signs")
app = modal.App("output", image=image)


@app.function()
def talk():
    print("first words")
    signs.pause()
    print("to stderr", file=sys.stderr)
    signs.pause()
    os.write(1, b"from the descriptor\n")
    print("an unfinished", end="", flush=True)
    signs.pause()
    print(" line")
    print("ünïcödé \N{SNOWMAN}")
    print("x" * 100_000)
    print("last words without an end", end="")


@app.function()
def chatter(lines: int):
    for number in range(lines):
        print(f"line {number}")


@app.local_entrypoint()
def main():
    print("before")
    talk.remote()
    print("after")
