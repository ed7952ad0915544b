"""Queues: what the clients do with them, here and in containers."""

import asyncio
import queue
import re
import threading
import time

import modal
from story import equal, raises, story, until

app = modal.App("queues", image=modal.Image.debian_slim().add_local_python_source("story"))

# Several clients tell these stories to one platform.
mine = re.sub(r"\W", "-", modal.__version__)
results = modal.Queue.from_name(f"results-{mine}", create_if_missing=True)


@app.function(max_containers=1)
@modal.concurrent(max_inputs=8)
def consume(tasks: modal.Queue, results_id: str):
    """Takes until it gets None, and tells of each."""
    taken = 0
    while (item := tasks.get(timeout=60)) is not None:
        modal.Queue.from_id(results_id).put(item)
        taken += 1
    return taken


@app.function(max_containers=1)
@modal.concurrent(max_inputs=8)
def produce(tasks: modal.Queue, first: int, count: int):
    for number in range(first, first + count):
        tasks.put(number)
    results.put("produced")


@story()
def in_order():
    """Items come out in their order, one or several at a time."""
    with modal.Queue.ephemeral() as q:
        q.put("first")
        q.put_many([2, {"third": None}, b"\x00"])
        equal([q.len(), q.get(), q.get_many(2), q.len()], [4, "first", [2, {"third": None}], 1])
        equal([q.get_many(10, block=False), q.get_many(10, block=False), q.get(block=False)], [[b"\x00"], [], None])
        q.put_many([])
        equal(q.len(), 0)


@story()
def partitions():
    """Partitions know nothing of each other."""
    with modal.Queue.ephemeral() as q:
        q.put(0)
        q.put_many([1, 2], partition="one")
        q.put(3, partition="ünïcödé")
        equal([q.len(), q.len(partition="one"), q.len(partition="none"), q.len(total=True)], [1, 2, 0, 4])
        equal([q.get(partition="ünïcödé"), q.get(block=False, partition="none"), q.get(partition="one")], [3, None, 1])
        q.clear(partition="one")
        equal([q.len(partition="one"), q.len()], [0, 1])
        q.put(4, partition="one")
        q.clear(all=True)
        equal([q.len(total=True), q.get(block=False)], [0, None])
        for wrong in ("", "x" * 65):
            with raises(modal.exception.InvalidError, "partition key"):
                q.put(1, partition=wrong)


@story()
def waiting():
    """A get waits for an item, and wakes as soon as it comes."""
    with modal.Queue.ephemeral() as q:
        for wait in (lambda: q.get(timeout=0.3), lambda: q.get_many(3, timeout=0.3)):
            began = time.monotonic()
            with raises(queue.Empty):
                wait()
            assert time.monotonic() - began > 0.25
        found = []
        threads = [threading.Thread(target=lambda: found.append(q.get(timeout=60))) for _ in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        q.put("one")
        until(lambda: len(found) == 1)
        q.put_many([2, 3, 4, 5])
        for thread in threads:
            thread.join(30)
        equal(sorted(found, key=str), [2, 3, 4, 5, "one"])


@story()
def full():
    """A full partition takes no more until there is room, and says so."""
    with modal.Queue.ephemeral() as q:
        q.put_many(list(range(49)))
        q.put(49)
        for refused in (lambda: q.put(50, block=False), lambda: q.put_many([50, 51], block=False), lambda: q.put(50, timeout=0.3)):
            with raises(queue.Full, "is full: 50 items"):
                refused()
        q.put("elsewhere", partition="other")
        threading.Timer(0.3, q.get).start()
        q.put(50, timeout=60)
        equal(q.get_many(60), list(range(1, 51)))


@story()
def too_large():
    """What can never fit is refused by the client's own error."""
    with modal.Queue.ephemeral() as q:
        with raises(modal.exception.RequestSizeError, "Queue.put request is too large"):
            q.put(bytes(1_100_000))
        with raises(modal.exception.RequestSizeError, "Queue.put_many request is too large"):
            q.put_many([bytes(900_000)] * 4)
        with raises(modal.exception.RequestSizeError, "Queue.put_many request is too large"):
            q.put_many(list(range(51)), timeout=60)
        q.put_many([bytes(900_000)] * 3)
        equal([len(each) for each in q.get_many(3)], [900_000] * 3)


@story()
def time_to_live():
    """A partition is empty when the time that its last put gave it is over."""
    with modal.Queue.ephemeral() as q:
        q.put_many([1, 2], partition="short", partition_ttl=1)
        q.put(3, partition="long", partition_ttl=600)
        until(lambda: q.len(partition="short") == 0)
        equal([q.get(block=False, partition="short"), list(q.iterate(partition="short")), q.len(total=True)], [None, [], 1])
        q.put(4, partition="short")
        equal([q.len(partition="short"), q.get(partition="short")], [1, 4])
        with raises(modal.exception.InvalidError, "partition_ttl"):
            q.put(5, partition_ttl=-1)


@story()
def iterated():
    """Items are looked at in their place, and waited for."""
    with modal.Queue.ephemeral() as q:
        q.put_many([1, 2])
        equal([list(q.iterate()), list(q.iterate(partition="none")), q.len()], [[1, 2], [], 2])
        threading.Timer(0.3, q.put_many, [[3, 4]]).start()
        equal(list(q.iterate(item_poll_timeout=1.5)), [1, 2, 3, 4])
        equal(q.get_many(9), [1, 2, 3, 4])


@story()
def asynchronous():
    """Methods of queues also work in async code, many at a time."""

    async def use():
        async with modal.Queue.ephemeral() as q:
            getting = [asyncio.create_task(q.get.aio(timeout=60)) for _ in range(20)]
            await asyncio.gather(*(q.put.aio(number) for number in range(20)))
            equal(sorted(await asyncio.gather(*getting)), list(range(20)))
            await q.put_many.aio([1, 2, 3])
            equal([each async for each in q.iterate.aio()], [1, 2, 3])
            equal([await q.len.aio(), await q.get_many.aio(2), await q.get.aio(block=False)], [3, [1, 2], 3])

    asyncio.run(use())


@story()
def in_containers():
    """Producers and consumers in containers lose nothing and get nothing twice."""
    with modal.Queue.ephemeral() as tasks, modal.Queue.ephemeral() as done:
        producing = [produce.spawn(tasks, first, 10) for first in (0, 10, 20)]
        consuming = [consume.spawn(tasks, done.object_id) for _ in range(3)]
        equal([results.get(timeout=60) for _ in producing], ["produced"] * 3)
        tasks.put_many([None] * 3)
        equal(sum(each.get() for each in consuming), 30)
        equal(sorted(done.get_many(50)), list(range(30)))
        equal([tasks.len(), results.len()], [0, 0])


@story()
def names():
    """Queues are made, found, listed, described and deleted by their names."""
    name = f"named-{mine}"
    with raises(modal.exception.NotFoundError, f'Queue "{name}" does not exist in environment "main"'):
        modal.Queue.from_name(name).get()
    modal.Queue.objects.create(name)
    with raises(modal.exception.AlreadyExistsError, "exists already"):
        modal.Queue.objects.create(name)
    modal.Queue.objects.create(name, allow_existing=True)
    q = modal.Queue.from_name(name)
    q.put(1)
    info = q.info()
    equal([q.name, info.name, bool(info.created_by)], [name, name, True])
    assert name in [each.name for each in modal.Queue.objects.list()]
    refused = []

    def get_in_vain():
        try:
            q.get(partition="waits")
        except modal.exception.NotFoundError as error:
            refused.append(error)

    thread = threading.Thread(target=get_in_vain)
    thread.start()
    time.sleep(0.3)
    modal.Queue.objects.delete(name)
    thread.join(20)
    equal(len(refused), 1)
    with raises(modal.exception.NotFoundError, "does not exist"):
        q.put(2)
    modal.Queue.objects.delete(name, allow_missing=True)
    equal(modal.Queue.from_name(name, create_if_missing=True).len(), 0)
