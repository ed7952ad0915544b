"""Items in chunks, one call for each of them: `modal run examples/python/guide/batch_processing.py`."""

import modal

app = modal.App("batch-processor")


@app.function(timeout=3600)  # 1 hour
def process_batch(items: list):
    """Stands for a computation that pays for many items at once"""
    largest = max(items)
    return [item / largest for item in items]


def load_large_dataset():
    return [float(number) for number in range(1, 10_001)]


@app.local_entrypoint()
def main():
    items = load_large_dataset()
    chunk_size = 1000
    results = []
    for i in range(0, len(items), chunk_size):
        chunk = items[i : i + chunk_size]
        results.extend(process_batch.remote(chunk))
    print(f"Processed {len(results)} items")
