"""Functions that fill the disk, and one that goes on meanwhile."""

import os
import threading
import time

import modal

app = modal.App("disk")


@app.function(cpu=0.25)
def fine(number: int) -> int:
    return number * 2


def write(mebibytes: int):
    with open("/tmp/file", "wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(1 << 10) * 1024)
    threading.Event().wait()


@app.function(cpu=1)
def fills():
    try:
        write(1 << 20)
    except OSError:
        threading.Event().wait()  # it was faster than whoever looks


@app.function(cpu=1, ephemeral_disk=64)
def limited():
    write(100)


@app.local_entrypoint()
def main(name: str):
    """Calls it, and another one all the while."""
    end = threading.Event()

    def hammer():
        number = 0
        while not end.is_set():
            try:
                assert fine.remote(number) == number * 2
                number += 1
            except Exception as error:
                print(f"a neighbour fails: {type(error).__name__}: {error}")
            time.sleep(0.05)
        print(f"the neighbour has answered {number} times")

    fine.remote(1)
    neighbour = threading.Thread(target=hammer)
    neighbour.start()
    try:
        globals()[name].remote()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
    end.set()
    neighbour.join()
    print("the next call answers", fine.remote(21))
