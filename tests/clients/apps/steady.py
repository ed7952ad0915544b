"""A function that tells all the time that it goes on."""

import os
import time

import modal

app = modal.App("steady")


@app.function()
def ticks(count: int) -> str:
    me = os.environ["MODAL_TASK_ID"]
    for number in range(count):
        print("tick", number, me)
        time.sleep(0.05)
    return me


@app.local_entrypoint()
def main(count: int = 120):
    print("answer from", ticks.remote(count))
