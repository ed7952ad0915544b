"""What becomes of inputs: tried again, stopped in time, run together or apart."""

import asyncio
import os
import threading
import time

import modal
from story import equal, raises, sign, signs, story, tell

app = modal.App("policies", image=modal.Image.debian_slim().add_local_python_source("story")).include(signs)

# What the container of a function, of which there is one, remembers of its inputs.
begun: dict[str, list[float]] = {}
stopped: list[str] = []
lock = threading.Lock()
running = 0


def here() -> str:
    return os.environ["MODAL_TASK_ID"]


def begin(name: str) -> int:
    """Answers how often it was begun before."""
    begun.setdefault(name, []).append(time.monotonic())
    return len(begun[name]) - 1


def delays(name: str) -> list[float]:
    times = begun.get(name, [])
    return [later - earlier for earlier, later in zip(times, times[1:])]


@app.function(max_containers=1, retries=2)
def often(name: str, failures: int):
    """Fails so many times; asked for `delays`, answers how long after each other it was begun."""
    if failures < 0:
        return delays(name)
    before = begin(name)
    if before < failures:
        raise ValueError(f"{name} fails the {before + 1}. time")
    return before


@app.function(max_containers=1, retries=modal.Retries(max_retries=3, initial_delay=0.2, backoff_coefficient=3.0, max_delay=1.0))
def backing_off(name: str, failures: int):
    return often.local(name, failures)


@app.function(max_containers=1, timeout=1, retries=modal.Retries(max_retries=1, initial_delay=0.0))
def hurried(name: str, slow: int):
    """So many attempts take too long; asked for `-1`, answers what was stopped."""
    if slow < 0:
        return stopped
    before = begin(name)
    if before < slow:
        try:
            time.sleep(60)
        except modal.exception.InputCancellation:
            stopped.append(name)
            raise
    return before


@app.function(max_containers=1, timeout=2)
@modal.concurrent(max_inputs=5)
async def hurried_async(name: str, seconds: float):
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        stopped.append(name)
        raise
    return stopped, here()


@app.function(max_containers=1, retries=modal.Retries(max_retries=5, initial_delay=60.0))
def patient():
    sign.remote("patient was begun", give=True)
    raise ValueError("not yet")


@app.cls(startup_timeout=3)
class Slow:
    @modal.enter()
    def wait(self):
        time.sleep(600)

    @modal.method()
    def answer(self):
        return 42


@story()
def retries():
    """`retries=2` tries three times, with a second between, and gives the first result."""
    equal([often.remote("once", 1), often.remote("twice", 2), often.remote("never", 0)], [1, 2, 0])
    first, second = often.remote("twice", -1)
    assert first >= 1 and second >= 1, (first, second)


@story()
def retries_end():
    """after that the last error is raised."""
    with raises(ValueError, "always fails the 3. time"):
        often.remote("always", 100)
    equal(len(often.remote("always", -1)), 2)


@story()
def retries_spawned():
    """spawned calls are tried again, too."""
    equal(often.spawn("spawned", 1).get(), 1)


@story()
def retries_backoff():
    """`Retries` grows its delays up to the longest one allowed."""
    equal(backing_off.remote("grows", 3), 3)
    found = backing_off.remote("grows", -1)
    assert all(delay >= least for delay, least in zip(found, [0.2, 0.6, 1.0], strict=True)), found


@story()
def retries_in_maps():
    """in a map each input is tried by itself, and those that never succeed fail alone."""
    failures = [1, 0, 100, 2, 1]
    options = {"return_exceptions": True} | ({"wrap_returned_exceptions": False} if modal.__version__ < "1.4" else {})
    found = list(often.starmap([(f"map {number}", each) for number, each in enumerate(failures)], **options))
    equal([*found[:2], *found[3:]], [1, 0, 2, 1])
    equal(repr(found[2]), "ValueError('map 2 fails the 3. time')")


@story()
def retries_cancelled():
    """who waits for the next attempt is cancelled at once."""
    call = patient.spawn()
    sign.remote("patient was begun")
    call.cancel()
    with raises(modal.exception.RemoteError, "cancelled"):
        call.get()


@story()
def retries_refused():
    """a generator cannot be tried again, says the client."""
    with raises(modal.exception.InvalidError, "[Rr]etr"):

        @modal.App("other").function(retries=1, serialized=True)
        def generator():
            yield 1


@story()
def timeouts():
    """an input that runs too long is stopped in its container, and tried again where it has retries."""
    equal(hurried.remote("slow once", 1), 1)
    with raises(modal.exception.FunctionTimeoutError, "1 s"):
        hurried.remote("slow always", 100)
    equal(hurried.remote("", -1), ["slow once", "slow always", "slow always"])


@story()
def timeouts_async():
    """one of several coroutines is stopped alone."""
    late, early = hurried_async.spawn("late", 60), hurried_async.spawn("early", 0)
    _, container = early.get()
    with raises(modal.exception.FunctionTimeoutError, "2 s"):
        late.get()
    equal(hurried_async.remote("next", 0), (["late"], container))


@story()
def startup_timeout():
    """a container that does not get ready in time ends its calls with words of its own."""
    with raises(modal.exception.Error, "not ready"):
        Slow().answer.remote()


@app.local_entrypoint()
def main():
    tell()
