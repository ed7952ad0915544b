"""Functions whose process ends in the middle of an input; a later attempt may succeed."""

import concurrent.futures
import ctypes
import os
import sys

import modal

app = modal.App("ends")

calls = 0


def end(how: str):
    if how == "exit":
        os._exit(3)
    elif how == "crash":
        ctypes.string_at(0)
    elif how == "leave":
        sys.exit(4)


@app.function(max_containers=1)
def tally() -> int:
    """How often it was called before: its one container outlives those that die."""
    global calls
    calls += 1
    return calls - 1


@app.function(max_containers=2)
def dies_until(how: str, attempts: int) -> int:
    """The attempt after `attempts` others is answered."""
    before = tally.remote()
    print(f"attempt {before} in", os.environ["MODAL_TASK_ID"])
    if before < attempts:
        end(how)
    return before


@app.function()
def fine(number: int) -> int:
    return number * 2


@app.local_entrypoint()
def main(how: str, attempts: int = 1):
    try:
        print("answer", dies_until.remote(how, attempts))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
    print("the next call answers", fine.remote(21))
    print("the same function answers", dies_until.remote("", 0))


@app.local_entrypoint()
def crowd(how: str, callers: int):
    """Many callers wait for a function that always dies."""
    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        pending = [pool.submit(dies_until.remote, how, 10_000) for _ in range(callers)]
    for call in pending:
        print(f"{type(call.exception()).__name__}: {call.exception()}")
    print("the next call answers", fine.remote(21))
