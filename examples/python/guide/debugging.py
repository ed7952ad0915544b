"""Looks into a function while it runs: `modal run -i debugging.py` stops at `modal.debug()`; without `-i` it goes on."""

import modal

app = modal.App("debugging")


@app.function()
def total(prices: list[float]):
    print(f"{len(prices)} prices")
    # The client on your machine has no `debug`: the platform gives it to the one in the container.
    amount = sum(prices)
    modal.debug()
    print(f"They cost {amount:.2f}")
    return amount


@app.local_entrypoint()
def main():
    total.remote([1.5, 2.25])
