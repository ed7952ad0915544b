"""How many containers a function has, and how many inputs each of them takes."""

import asyncio
import os
import threading
import time

import modal
from story import equal, raises, sign, signs, story, tell, until

app = modal.App("scaling", image=modal.Image.debian_slim().add_local_python_source("story")).include(signs)

old = modal.__version__.startswith("1.3")
running = 0
lock = threading.Lock()
# Inputs of one story are not to be in the batches of another.
batch_is_ours = threading.Lock()


def here() -> str:
    return os.environ["MODAL_TASK_ID"]


def containers(function) -> int:
    stats = function.get_current_stats()
    return stats.num_total_runners


@app.function(max_containers=1)
@modal.concurrent(max_inputs=4, target_inputs=2)
def meet(name: str):
    """Threads that wait for each other."""
    sign.remote(name, give=True)
    for other in ("first", "second", "third", "fourth"):
        sign.remote(other)
    return here()


@app.function()
@modal.concurrent(max_inputs=4, target_inputs=2)
async def wait(name: str):
    await sign.remote.aio(name)
    return here()


@app.function(max_containers=1)
@modal.batched(max_batch_size=3, wait_ms=1_000)
async def batch(names: list[str], numbers: list[int]) -> list:
    """Each of a batch learns who is in it."""
    if "bad" in names:
        raise ValueError("one of them is bad")
    if "short" in names:
        return []
    if "waits" in names:
        await sign.remote.aio("batch was begun", give=True)
        await sign.remote.aio("end of batch")
    return [(number, sorted(names)) for number in numbers]


@app.function(single_use_containers=True, max_containers=2)
def once(number: int):
    return here()


@app.function(max_containers=1)
def alone(number: int):
    """Never two of it at a time."""
    global running
    with lock:
        running += 1
        most = running
    time.sleep(0.01)
    with lock:
        running -= 1
    return most, here()


@app.function(min_containers=1, scaledown_window=2)
def kept():
    return here()


@app.function(buffer_containers=1, max_containers=3)
def buffered(name: str):
    sign.remote(name)


@app.function(scaledown_window=2)
def brief():
    return here()


@story()
def concurrent():
    """one container takes as many at a time as `max_inputs` says, above its target where there is no other."""
    equal(len(set(meet.map(["first", "second", "third", "fourth"]))), 1)


@story()
def concurrent_target():
    """there are containers for as many as `target_inputs` says."""
    calls = [wait.spawn("end of waiting") for _ in range(4)]
    until(lambda: containers(wait) == 2)
    sign.remote("end of waiting", give=True)
    for call in calls:
        call.get()


@story()
def batched():
    """a batch is full, or has waited."""
    with batch_is_ours:
        full = batch.experimental_spawn_map(["a", "b", "c"], [1, 2, 3])  # all of them in one request
        equal(list(full.iter()), [(number, ["a", "b", "c"]) for number in (1, 2, 3)])
        equal(batch.remote("alone", 4), (4, ["alone"]))
        equal(batch.remote(numbers=5, names="by keyword"), (5, ["by keyword"]))
        failed = batch.experimental_spawn_map(["a", "bad", "c"], [1, 2, 3])
        for index in range(3):
            with raises(ValueError, "one of them is bad"):
                failed.get(index=index)
        with raises(modal.exception.InvalidError, "equal length"):
            batch.remote("short", 1)


@story()
def batch_cancelled():
    """who is cancelled in a batch leaves it, and the others run again without."""
    with batch_is_ours:
        calls = [batch.spawn(name, number) for number, name in enumerate(["waits", "one", "two"])]
        sign.remote("batch was begun")
        calls[0].cancel()
        with raises(modal.exception.RemoteError, "cancelled"):
            calls[0].get()
        sign.remote("end of batch", give=True)
        equal(sorted(call.get()[0] for call in calls[1:]), [1, 2])


@story()
def single_use():
    """with `single_use_containers` every input has a container of its own."""
    equal(len(set(once.map(range(3)))), 3)


@story()
def exclusive():
    """with `max_containers=1` inputs run one after another, in one container."""
    found = list(alone.map(range(40)))
    equal(set(found), {(1, found[0][1])})


@story()
def warm():
    """`min_containers` are there before anybody calls, and stay when nobody does."""
    until(lambda: containers(kept) == 1)
    container = kept.remote()
    time.sleep(3)  # longer than its window
    equal(kept.remote(), container)


@story()
def buffer():
    """`buffer_containers` are there beside those that are busy."""
    call = buffered.spawn("end of buffered")
    until(lambda: containers(buffered) == 2)
    sign.remote("end of buffered", give=True)
    call.get()


@story()
def scaledown():
    """after its `scaledown_window` an idle container goes, and the next call has another."""
    container = brief.remote()
    until(lambda: containers(brief) == 0)
    assert brief.remote() != container


@story()
def update():
    """`update_autoscaler` changes a function while it runs, and refuses what makes no sense."""
    wait_more = wait.autoscaler.update if modal.__version__.startswith("1.6") else wait.update_autoscaler
    with raises(modal.exception.InvalidError, "at most 1"):
        wait_more(min_containers=3, max_containers=1)
    wait_more(min_containers=3, max_containers=3)
    until(lambda: containers(wait) == 3)
    wait_more(min_containers=0, scaledown_window=2)
    until(lambda: containers(wait) == 0)


@story(only=r"1\.6")
def settings():
    """`autoscaler.settings` tells what holds, and None takes a limit away."""
    changed = meet.autoscaler.update(buffer_containers=0, scaledown_window=30)
    equal(meet.autoscaler.settings(), changed)
    equal([changed.max_containers, changed.buffer_containers, changed.scaledown_window], [1, 0, 30])
    equal(once.autoscaler.update(max_containers=None).max_containers, None)
    assert once.autoscaler.settings().max_containers is None and once.remote(1)


@story()
def stats():
    """`get_current_stats` counts what waits and what runs."""
    calls = [lone.spawn("end of stats") for _ in range(3)]
    until(lambda: lone.get_current_stats().num_running_inputs == 1)
    equal([lone.get_current_stats().backlog, containers(lone)], [2, 1])
    sign.remote("end of stats", give=True)
    for call in calls:
        call.get()
    equal([lone.get_current_stats().backlog, lone.get_current_stats().num_running_inputs], [0, 0])


@app.function(max_containers=1)
def lone(name: str):
    sign.remote(name)


@story(only=r"1\.[56]")
def variants():
    """a function has variants, too: `with_options`, `with_concurrency`, `with_batching`."""
    with raises(modal.exception.FunctionTimeoutError, "1 s"):
        lone.with_options(timeout=1).remote("never given")
    together = wait.with_concurrency(max_inputs=3)
    calls = [together.spawn("end of variants") for _ in range(3)]
    until(lambda: together.get_current_stats().num_running_inputs == 3)
    sign.remote("end of variants", give=True)
    equal(len({call.get() for call in calls}), 1)
    pairs = batch.with_batching(max_batch_size=2, wait_ms=5_000)
    equal(list(pairs.map(["d", "e"], [1, 2])), [(1, ["d", "e"]), (2, ["d", "e"])])


if old:

    @app.function(concurrency_limit=1, allow_concurrent_inputs=3, container_idle_timeout=2, keep_warm=1)
    def old_options(name: str):
        sign.remote(name, give=True)
        for other in ("old first", "old second", "old third"):
            sign.remote(other)
        return here()


@story(only=r"1\.3")
def old_names():
    """the old client's `concurrency_limit`, `allow_concurrent_inputs` and `keep_warm` do the same."""
    until(lambda: containers(old_options) == 1)
    equal(len(set(old_options.map(["old first", "old second", "old third"]))), 1)
    equal(containers(old_options), 1)


@app.local_entrypoint()
def main():
    tell()
