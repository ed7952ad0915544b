"""Items that go through a queue into a dict, in stretches: each comes out once, and in its producer's order."""

import sys
import threading

import modal

app = modal.App("state-stream")

PRODUCERS = 3


class Checked(threading.Thread):
    """A thread whose failure is the program's."""

    failures = []

    def run(self):
        try:
            super().run()
        except BaseException as error:
            self.failures.append(error)
            raise


def produce(queue, producer, numbers):
    pending = []
    for number in numbers:
        pending.append((producer, number))
        if len(pending) > number % 3:
            queue.put_many(pending)
            queue.put(pending[-1], partition="alone")
            pending = []
    if pending:
        queue.put_many(pending)


def consume(queue, taken, d):
    while (item := queue.get(timeout=100)) is not None:
        # Said again, because its reply was lost, this is still the request that has set it.
        assert d.put(item, "taken", skip_if_exists=True), f"{item} came twice"
        taken.append(item)


@app.local_entrypoint()
def main():
    total = 0
    with modal.Queue.ephemeral() as queue, modal.Dict.ephemeral() as d:
        for line in sys.stdin:  # one line more: one more stretch
            count = int(line)
            taken = []
            producers = [Checked(target=produce, args=(queue, each, range(total, total + count))) for each in range(PRODUCERS)]
            consumers = [Checked(target=consume, args=(queue, taken, d)) for _ in range(3)]
            for thread in [*producers, *consumers]:
                thread.start()
            for thread in producers:
                thread.join()
            queue.put_many([None] * len(consumers))
            for thread in consumers:
                thread.join()
            assert not Checked.failures, Checked.failures
            expected = [(producer, number) for producer in range(PRODUCERS) for number in range(total, total + count)]
            assert sorted(taken) == expected, f"{len(taken)} of {len(expected)} items"
            alone = queue.get_many(5000, block=False, partition="alone")
            for producer in range(PRODUCERS):
                numbers = [number for who, number in alone if who == producer]
                assert numbers and numbers == sorted(set(numbers)), numbers
            assert sorted(d.keys()) == expected, "the dict has what was taken"
            for item in expected:
                assert d.pop(item, None) == "taken", f"{item} was popped before"
            assert d.len() == 0
            total += count
            print("moved", total, flush=True)
    print("stopped after", total)
