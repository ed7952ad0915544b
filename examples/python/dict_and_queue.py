"""Tasks go to workers through a queue, their results come back in a dict: `modal run examples/python/dict_and_queue.py`."""

import modal

app = modal.App("dict-and-queue")


@app.function()
def work(tasks: modal.Queue, results: modal.Dict):
    while (word := tasks.get()) is not None:
        results[word] = len(word)


@app.local_entrypoint()
def main():
    with modal.Queue.ephemeral() as tasks, modal.Dict.ephemeral() as results:
        workers = [work.spawn(tasks, results) for _ in range(2)]
        tasks.put_many(["one", "three", "eleven"])
        tasks.put_many([None] * len(workers))
        for each in workers:
            each.get()
        print(sorted(results.items()))
