"""Functions whose process ends in the middle of an input; a marker file lets a later attempt succeed."""

import concurrent.futures
import os
import signal
import sys

import modal

app = modal.App("ends")


def end(how: str):
    if how == "exit":
        os._exit(3)
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "leave":
        sys.exit(4)


@app.function(max_containers=2)
def dies_until(folder: str, how: str, attempts: int) -> int:
    """Each attempt leaves a file; the one after `attempts` of them is answered."""
    before = len(os.listdir(folder))
    with open(f"{folder}/attempt-{before}-{os.getpid()}", "x"):
        pass
    if before < attempts:
        end(how)
    return before


@app.function()
def fine(number: int) -> int:
    return number * 2


@app.local_entrypoint()
def main(folder: str, how: str, attempts: int = 1):
    try:
        print("answer", dies_until.remote(folder, how, attempts))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
    print("the next call answers", fine.remote(21))
    print("the same function answers", dies_until.remote(folder, "", 0))


@app.local_entrypoint()
def crowd(folder: str, how: str, calls: int):
    """Many callers wait for a function that always dies."""
    with concurrent.futures.ThreadPoolExecutor(calls) as pool:
        pending = [pool.submit(dies_until.remote, folder, how, 10_000) for _ in range(calls)]
    for call in pending:
        print(f"{type(call.exception()).__name__}: {call.exception()}")
    print("the next call answers", fine.remote(21))
