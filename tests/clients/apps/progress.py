"""Shows how far it is, as programs do at a terminal; and stops for nobody who is not there."""

import time

import modal

app = modal.App("progress")


@app.function()
def progress():
    for percent in (10, 50, 100):
        print(f"\r\x1b[32m{percent:3d} %\x1b[0m", end="", flush=True)
        time.sleep(0.15)
    modal.debug()
    print(" done")
