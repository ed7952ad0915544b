"""Functions that fail in the ways that functions do."""

import threading
import time

import modal

app = modal.App("failures")


class OutOfStock(Exception):
    def __init__(self, item: str, left: int):
        super().__init__(item, left)
        self.item = item
        self.left = left


@app.function()
def order(item: str):
    def pick():
        raise OutOfStock(item, left=0)

    pick()


@app.function()
def unpicklable():
    return threading.Lock()


@app.function(timeout=1, startup_timeout=60)
def too_slow():
    time.sleep(60)


@app.function()
def fine(number: int) -> int:
    return number * 2


@app.local_entrypoint()
def caught():
    try:
        order.remote("tea")
    except OutOfStock as error:
        assert type(error) is OutOfStock and (error.item, error.left) == ("tea", 0)
        print(f"caught {type(error).__name__}: {error.item}, {error.left} left")
    assert fine.remote(2) == 4
    print("and the next call is answered")


@app.local_entrypoint()
def uncaught():
    order.remote("tea")


@app.local_entrypoint()
def no_pickle():
    try:
        unpicklable.remote()
    except Exception as error:
        print(f"caught {type(error).__name__}: {error}")
    else:
        raise AssertionError("a lock cannot travel")
    assert fine.remote(3) == 6
    print("and the next call is answered")


@app.local_entrypoint()
def timed_out():
    try:
        too_slow.remote()
    except modal.exception.FunctionTimeoutError as error:
        print(f"caught {type(error).__name__}: {error}")
    assert fine.remote(4) == 8
    print("and the next call is answered")
