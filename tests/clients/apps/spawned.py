"""Calls whose results are fetched later, and calls that are taken back."""

import asyncio
import os
import subprocess
import sys
import threading
import time

import modal
from modal.call_graph import InputStatus
from story import equal, raises, sign, signs, story, tell

app = modal.App("spawned", image=modal.Image.debian_slim().add_local_python_source("story")).include(signs)

seen = []
# Its one container is looked at by several stories, which run at a time.
work_is_ours = threading.Lock()


@app.function(max_containers=1)
def work(name: str, how: str = "waits"):
    """Runs until it is stopped; `tells` answers what its container has seen."""
    if how == "tells":
        return seen, os.environ["MODAL_TASK_ID"]
    while True:
        try:
            # Beside it: a cancellation that comes while this thread is inside of the client may be lost there.
            threading.Thread(target=sign.remote, args=(name,), kwargs={"give": True}).start()
            time.sleep(600)
        except modal.exception.InputCancellation:
            seen.append(name)
            if how != "deaf":
                raise


@app.function(max_containers=1)
async def work_async(name: str, how: str = "waits"):
    """The same as a coroutine, one at a time."""
    if how == "tells":
        return seen, os.environ["MODAL_TASK_ID"]
    try:
        await sign.remote.aio(name, give=True)
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        seen.append(name)
        raise


@app.function(max_containers=1)
@modal.concurrent(max_inputs=10)
async def together(name: str, until: str = ""):
    """Several of these run in one container; answers who was stopped beside it."""
    try:
        await sign.remote.aio(name, give=True)
        await sign.remote.aio(until or f"end of {name}")
    except asyncio.CancelledError:
        seen.append(name)
        raise
    return seen, os.environ["MODAL_TASK_ID"]


@app.function(max_containers=1)
@modal.concurrent(max_inputs=2)
def threads(name: str):
    """Two of these run in one container, each in a thread, which cannot be stopped alone."""
    sign.remote(name, give=True)
    sign.remote(f"end of {name}")
    return os.environ["MODAL_TASK_ID"]


@app.function(max_containers=2)
def divide(number: float, by: float = 1) -> float:
    return number / by


@app.function(max_containers=1)
def twice(number: int):
    """Makes calls of its own, one of which it leaves to whoever asks for it."""
    return divide.remote(number) + divide.remote(number), divide.spawn(number).object_id


@story()
def get():
    """`get` waits for the result, as often as one asks."""
    call = divide.spawn(6, by=2)
    assert call.object_id.startswith("fc-")
    equal([call.get(), call.get(timeout=5), call.get(index=0)], [3, 3, 3])


@story()
def get_raises():
    """it raises what the function raised, every time."""
    call = divide.spawn(1, by=0)
    for _ in range(2):
        with raises(ZeroDivisionError):
            call.get()


@story()
def get_timeout():
    """`get(timeout=…)` gives up, and the call goes on."""
    call = together.spawn("timeout", until="end of timeout")
    for seconds in (0, 0.2):
        with raises(TimeoutError):
            call.get(timeout=seconds)
    sign.remote("end of timeout", give=True)
    equal(call.get()[1][:3], "ta-")


@story()
def from_id():
    """another process has the result by the call's id."""
    call = divide.spawn(8, by=2)
    program = "import modal, sys; print(modal.FunctionCall.from_id(sys.argv[1]).get())"
    equal(subprocess.check_output([sys.executable, "-c", program, call.object_id], text=True), "4.0\n")
    with raises(modal.exception.NotFoundError, "fc-nothing"):
        modal.FunctionCall.from_id("fc-nothing").get()


@story()
def gather():
    """`gather` waits for several, and raises what one raises."""
    equal(list(modal.FunctionCall.gather(divide.spawn(4), divide.spawn(9, by=3))), [4, 3])
    with raises(ZeroDivisionError):
        modal.FunctionCall.gather(divide.spawn(4), divide.spawn(1, by=0))


@story()
def several():
    """of a call with several inputs each is had by its index, or a range of them."""
    call = divide.experimental_spawn_map(range(120), kwargs={"by": 2})
    equal(call.num_inputs(), 120)
    equal([call.get(index=index) for index in (119, 0, 60)], [59.5, 0, 30])
    equal(list(call.iter()), [number / 2 for number in range(120)])
    equal(list(call.iter(start=3, end=6)), [1.5, 2, 2.5])
    equal(list(modal.FunctionCall.from_id(call.object_id).iter(start=118)), [59, 59.5])


@story()
def spawn_map():
    """`spawn_map` starts them all and waits for none."""
    names = [f"spawn_map {number}" for number in range(60)]
    equal(sign.spawn_map(names, kwargs={"give": True}), None)
    for name in names:
        sign.remote(name)


@story()
def aio():
    """all of it in coroutines."""

    async def check():
        calls = await asyncio.gather(*[divide.spawn.aio(number, by=4) for number in range(20)])
        results = await asyncio.gather(*[call.get.aio() for call in calls])
        equal(await divide.remote.aio(9, by=2), 4.5)
        equal(await modal.FunctionCall.gather.aio(*calls[:2]), [0, 0.25])
        waiting = await together.spawn.aio("aio")
        await sign.remote.aio("aio")
        await waiting.cancel.aio()
        with raises(modal.exception.RemoteError, "cancelled"):
            await waiting.get.aio()
        return results

    equal(asyncio.run(check()), [number / 4 for number in range(20)])


@story()
def by_functions():
    """a function spawns calls, too, and others have their results."""
    number, call_id = twice.remote(3)
    equal([number, modal.FunctionCall.from_id(call_id).get()], [6, 3])


@story()
def graph():
    """`get_call_graph` shows who called whom, and how it ended."""
    call = twice.spawn(5)
    call.get()
    [root] = call.get_call_graph()
    equal([root.function_name, root.status, root.module_name], ["twice", InputStatus.SUCCESS, "spawned"])
    equal([child.function_name for child in root.children], ["divide"] * 3)
    assert root.task_id.startswith("ta-") and root.function_call_id == call.object_id
    failed = divide.spawn(1, by=0)
    with raises(ZeroDivisionError):
        failed.get()
    equal([node.status for node in failed.get_call_graph()], [InputStatus.FAILURE])


@story()
def cancel_queued():
    """a call that waits for its turn is cancelled without ever running."""
    with work_is_ours:
        blocks = work.spawn("blocks")
        sign.remote("blocks")
        queued = work.spawn("queued")
        queued.cancel()
        with raises(modal.exception.RemoteError, "cancelled"):
            queued.get()
        equal([node.status for node in queued.get_call_graph()], [InputStatus.TERMINATED])
        blocks.cancel()
        with raises(modal.exception.RemoteError, "cancelled"):
            blocks.get()
        events, _ = work.remote("", how="tells")
        assert "blocks" in events and "queued" not in events, "InputCancellation was raised in what ran"


@story()
def cancel_deaf():
    """one that goes on all the same is ended with its container."""
    with work_is_ours:
        _, container = work.remote("", how="tells")
        deaf = work.spawn("deaf", how="deaf")
        sign.remote("deaf")
        deaf.cancel()
        with raises(modal.exception.RemoteError, "cancelled"):
            deaf.get()
        events, successor = work.remote("", how="tells")
        assert successor != container
        equal(events, [])


@story()
def cancel_async():
    """in a coroutine a cancelled call raises CancelledError, and the container goes on."""
    call = work_async.spawn("async")
    sign.remote("async")
    call.cancel()
    events, container = work_async.remote("", how="tells")
    equal([events, [node.task_id for node in call.get_call_graph()]], [["async"], [container]])
    with raises(modal.exception.RemoteError, "cancelled"):
        call.get()


@story()
def cancel_one():
    """of several in one container only the cancelled one stops."""
    one, other = together.spawn("one"), together.spawn("other")
    for name in ("one", "other"):
        sign.remote(name)
    one.cancel()
    with raises(modal.exception.RemoteError, "cancelled"):
        one.get()
    sign.remote("end of other", give=True)
    events, _ = other.get()
    assert "one" in events and "other" not in events, events


@story()
def cancel_thread():
    """a thread cannot be stopped alone: its container ends, and what ran beside it begins anew in another one."""
    one, other = threads.spawn("thread"), threads.spawn("other thread")
    for name in ("thread", "other thread"):
        sign.remote(name)
    one.cancel()
    with raises(modal.exception.RemoteError, "cancelled"):
        one.get()
    sign.remote("end of other thread", give=True)
    container = other.get()
    [node] = one.get_call_graph()
    assert container != node.task_id
    terminated = threads.spawn("with its container")
    sign.remote("with its container")
    terminated.cancel(terminate_containers=True)
    with raises(modal.exception.RemoteError, "cancelled"):
        terminated.get()
    sign.remote("end of the last", give=True)
    assert threads.remote("the last") != container, "`terminate_containers=True` has ended it"


@story()
def cancel_finished():
    """a result that is there stays, whoever cancels then."""
    call = divide.spawn(6)
    equal(call.get(), 6)
    call.cancel()
    equal(call.get(), 6)


@app.local_entrypoint()
def main():
    tell()
