"""Classes: their hooks, their parameters, and the variants that both make."""

import asyncio
import os
import time

import modal
from story import equal, raises, sign, signs, story, tell, until

app = modal.App("classes", image=modal.Image.debian_slim().add_local_python_source("story")).include(signs)



def here() -> str:
    return os.environ["MODAL_TASK_ID"]


class Counter:
    """Methods of a base are methods."""

    @modal.method()
    def count(self) -> int:
        self.counted += 1
        return self.counted


@app.cls(enable_memory_snapshot=True)
class Hooks(Counter):
    who: str = modal.parameter(default="nobody")

    @modal.enter(snap=True)
    def first(self):
        self.entered = [f"first {self.who}"]

    @modal.enter()
    def second(self):
        self.entered.append("second")
        self.counted = 0

    @modal.enter()
    async def third(self):
        await asyncio.sleep(0)
        self.entered.append("third")

    @modal.method()
    def tell(self):
        return self.entered, here()

    @modal.method()
    async def tell_async(self):
        return self.entered, here()

    @modal.exit()
    def leave(self):
        sign.remote(f"{self.who} leaves {here()}", give=True)

    @modal.exit()
    async def leave_async(self):
        await sign.remote.aio(f"{self.who} leaves in a coroutine", give=True)


@app.cls()
class Typed:
    number: int = modal.parameter()
    text: str = modal.parameter(default="ünïcödé ☃")
    flag: bool = modal.parameter(default=False)
    data: bytes = modal.parameter(default=b"\0\xff")

    @modal.method()
    def tell(self):
        return self.number, self.text, self.flag, self.data


@app.cls(max_containers=1)
class Meeting:
    @modal.enter()
    def begin(self):
        self.arrived = 0
        self.all_there = asyncio.Event()

    @modal.method()
    async def join(self, number: int) -> str:
        """Waits until three are there, in one container."""
        self.arrived += 1
        if self.arrived == 3:
            self.all_there.set()
        await self.all_there.wait()
        return here()

    @modal.method()
    def sleep(self, seconds: float):
        time.sleep(seconds)


@app.cls(max_containers=1)
class Batches:
    @modal.enter()
    def begin(self):
        self.factor = 10

    @modal.batched(max_batch_size=2, wait_ms=5_000)
    def multiply(self, numbers: list[int]) -> list[tuple[int, int]]:
        return [(self.factor * number, len(numbers)) for number in numbers]


@app.cls()
class Unenterable:
    @modal.enter()
    def fail(self):
        raise LookupError("no model here")

    @modal.method()
    def answer(self):
        return 42


@app.function()
def uses(number: int):
    """Makes an instance inside a function."""
    return Typed(number=number, flag=True).tell.remote()


@story()
def hooks():
    """`enter` hooks run once per container, those of snapshots first, before any method."""
    someone = Hooks(who="someone")
    entered, container = someone.tell.remote()
    equal([entered[0], sorted(entered[1:])], ["first someone", ["second", "third"]])
    equal(someone.tell_async.remote(), (entered, container))


@story()
def state():
    """what a method changes in `self` is there for the next one in its container."""
    counter = Hooks(who="counter")
    equal([counter.count.remote() for _ in range(3)], [1, 2, 3])


@story()
def leaving():
    """`exit` hooks run when a container is no longer needed, and can still call others."""
    # Whole containers go after two idle seconds.
    leaver = Hooks.with_options(scaledown_window=2)(who="leaver")
    _, container = leaver.tell.remote()
    sign.remote(f"leaver leaves {container}")
    sign.remote("leaver leaves in a coroutine")


@story()
def parameters():
    """parameters of every type arrive as they are, and defaults where there are none."""
    equal(Typed(number=-(2**63)).tell.remote(), (-(2**63), "ünïcödé ☃", False, b"\0\xff"))
    given = {"number": 2**63 - 1, "text": "", "flag": True, "data": bytes(range(256))}
    equal(Typed(**given).tell.remote(), tuple(given.values()))


@story()
def parameters_inside():
    """inside a function, too."""
    equal(uses.remote(3), (3, "ünïcödé ☃", True, b"\0\xff"))


@story()
def parameters_refused():
    """what is missing, unknown, of another type or too large is refused."""
    for wrong, words in [({}, "number"), ({"number": 1, "other": 2}, "other"), ({"number": "1"}, "int")]:
        with raises((TypeError, modal.exception.Error), words):
            Typed(**wrong).tell.remote()
    with raises(modal.exception.InvalidError, "16 KiB"):
        Typed(number=1, text="x" * 20_000).tell.remote()


@story()
def pools():
    """each set of parameters and of options has its own containers, and the same set always the same."""
    one, again, other = [Hooks(who=who).tell.remote()[1] for who in ("one", "one", "two")]
    assert one == again and one != other
    longer = Hooks.with_options(timeout=100)
    option = longer(who="one").tell.remote()[1]
    assert option not in (one, other)
    equal(Hooks.with_options(timeout=100)(who="one").tell.remote()[1], option)


@story()
def scaled():
    """an instance's own pool is scaled by `update_autoscaler`."""
    instance = Hooks(who="scaled")
    instance.update_autoscaler(min_containers=1)
    until(lambda: instance.tell.get_current_stats().num_total_runners == 1)


@story()
def options():
    """`with_options` changes what it names, here the timeout, and leaves the rest."""
    with raises(modal.exception.FunctionTimeoutError, "1 s"):
        Meeting.with_options(timeout=1)().sleep.remote(60)


@story()
def concurrency():
    """`with_concurrency` lets one container take several inputs at a time."""
    meeting = Meeting.with_concurrency(max_inputs=3)()
    equal(len(set(meeting.join.map(range(3)))), 1)


@story()
def batching():
    """a batched method gets several inputs at once, and `with_batching` says how many."""
    equal(list(Batches().multiply.map([1, 2])), [(10, 2), (20, 2)])
    threes = Batches.with_batching(max_batch_size=3, wait_ms=5_000)()
    equal(list(threes.multiply.map([1, 2, 3])), [(10, 3), (20, 3), (30, 3)])


@story()
def failing():
    """an `enter` hook that fails is what the caller is told, at once."""
    with raises(LookupError, "no model here"):
        Unenterable().answer.remote()


@story()
def local():
    """`local` runs it here, hooks included."""
    typed = Typed(number=1, text="here")
    equal(typed.tell.local()[:2], (1, "here"))
    batches = Batches()
    equal(batches.multiply.local([3]), [(30, 1)])


if not modal.__version__.startswith("1.6"):

    @app.cls()
    class Initialized:
        def __init__(self, first, second="two"):
            self.values = [first, second]

        @modal.enter()
        def enter(self):
            self.values.append("entered")

        @modal.method()
        def tell(self):
            return self.values


@story(only=r"1\.[35]")
def init():
    """the older clients allow `__init__`, with arguments of any type."""
    equal(Initialized({"a": 1}).tell.remote(), [{"a": 1}, "two", "entered"])
    equal(Initialized("x", second=(1, 2)).tell.remote(), ["x", (1, 2), "entered"])


@app.local_entrypoint()
def main():
    tell()
