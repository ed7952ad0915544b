"""The squares of a million numbers, added up in a hundred chunks: `modal run examples/python/guide/map_reduce.py`."""

import modal

app = modal.App("map-reduce")


@app.function()
def map_task(chunk: list):
    """Map: the sum of one chunk"""
    return sum(x * x for x in chunk)


@app.function()
def reduce_task(results: list):
    """Reduce: the sum of all"""
    return sum(results)


@app.local_entrypoint()
def main():
    data = list(range(1_000_000))
    chunk_size = 10_000
    chunks = [data[i : i + chunk_size] for i in range(0, len(data), chunk_size)]
    map_results = list(map_task.map(chunks))
    print(f"Result: {reduce_task.remote(map_results)}")
