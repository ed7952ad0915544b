"""Functions that give one thing after another."""

import asyncio
import os
import time

import modal
from story import equal, raises, sign, signs, story, tell

app = modal.App("streams", image=modal.Image.debian_slim().add_local_python_source("story")).include(signs)


class Broken(Exception):
    pass


given = {}


@app.function(max_containers=1)
def count(upto: int, pause: float = 0, fails_at: int = -1):
    for number in range(upto):
        time.sleep(pause)
        if number == fails_at:
            raise Broken(f"at {number}")
        yield number


@app.function(cpu=1, max_containers=1)
async def stream(upto: int):
    for number in range(upto):
        yield number


@app.function(max_containers=1)
def step(upto: int):
    """Goes on when what it gave was seen."""
    for number in range(upto):
        yield number
        sign.remote(f"{number} was seen")


@app.function(max_containers=1)
def count_and_tell(upto: int, name: str = ""):
    """Tells first what it had given before under that name, in whatever call its container had."""
    yield given.get(name, 0)
    for number in range(upto):
        time.sleep(0.01)
        given[name] = number + 1
        yield number


@app.function(max_containers=1)
def tally() -> int:
    """How often it was called before, by whatever container."""
    given["tally"] = given.get("tally", 0) + 1
    return given["tally"]


@app.function(max_containers=1)
def dies_once(upto: int):
    """Its first container ends half-way."""
    attempt = tally.remote()
    for number in range(upto):
        time.sleep(0.01)
        if attempt == 1 and number == upto // 2:
            os._exit(3)
        yield number


@app.function(max_containers=1)
@modal.concurrent(max_inputs=10)
async def count_async(start: int, upto: int):
    for number in range(start, upto):
        await asyncio.sleep(0.005)
        yield number


@app.function(max_containers=1)
def blocks(sizes):
    for number, size in enumerate(sizes):
        yield bytes([number]) * size


@app.function(max_containers=1)
def doubled(upto: int):
    for number in count.remote_gen(upto):
        yield 2 * number


@app.cls()
class Feed:
    first: int = modal.parameter(default=10)

    @modal.method()
    def pairs(self, upto: int):
        for number in range(upto):
            yield self.first + number, os.environ["MODAL_TASK_ID"]

    @modal.method()
    def once(self) -> str:
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    async def later(self, upto: int):
        for number in range(upto):
            yield self.first - number


@story()
def in_order():
    """a generator's items come in order."""
    equal(list(count.remote_gen(50)), list(range(50)))


@story()
def nothing():
    """one that gives nothing ends."""
    equal(list(count.remote_gen(0)), [])


@story(only=r"1\.6")
def many():
    """2,500 items come, once each and in order."""
    equal(list(stream.remote_gen(2_500)), list(range(2_500)))


@story()
def asynchronous():
    """an async generator does the same, and several run in one container at a time."""

    async def collect(start):
        return [number async for number in count_async.remote_gen.aio(start, start + 40)]

    async def all_of_them():
        return await asyncio.gather(*[collect(start) for start in (0, 100, 200)])

    equal(list(count_async.remote_gen(3, 6)), [3, 4, 5])
    equal(asyncio.run(all_of_them()), [list(range(start, start + 40)) for start in (0, 100, 200)])


@story()
def fails():
    """what comes before an exception comes, and then the exception."""
    found = []
    with raises(Broken, "at 3"):
        for number in count.remote_gen(10, fails_at=3):
            found.append(number)
    equal(found, [0, 1, 2])


@story()
def fails_at_once():
    """one that fails before its first item raises."""
    with raises(Broken, "at 0"):
        next(iter(count.remote_gen(10, fails_at=0)))


@story()
def as_it_comes():
    """each item comes when it is given, not at the end."""
    for number in step.remote_gen(3):
        sign.remote(f"{number} was seen", give=True)


@story()
def left():
    """one that its caller leaves runs to its end, and its container then takes the next input."""
    items = count_and_tell.remote_gen(200, name="left")
    equal([next(items), next(items)], [0, 0])
    items.close()
    equal(next(count_and_tell.remote_gen(0, name="left")), 200)


@story()
def dying():
    """one whose container dies begins anew in another, and no item comes twice."""
    equal(list(dies_once.remote_gen(60)), list(range(60)))
    equal(tally.remote(), 3)


@story()
def large():
    """items that are larger than a message comes by other ways, in order with small ones."""
    mebibyte = 1024 * 1024
    sizes = [3 * mebibyte, 1, 3 * mebibyte, 0, 2 * mebibyte]
    found = list(blocks.remote_gen(sizes))
    equal([len(block) for block in found], sizes)
    assert all(set(block) <= {number} for number, block in enumerate(found))


@story()
def methods():
    """methods can be generators, beside others that are none, in one container."""
    found = list(Feed(first=5).pairs.remote_gen(3))
    equal([number for number, _ in found], [5, 6, 7])
    equal({where for _, where in found}, {Feed(first=5).once.remote()})
    equal(list(Feed(first=5).later.remote_gen(3)), [5, 4, 3])


@story()
def nested():
    """a generator can go through another one."""
    equal(list(doubled.remote_gen(5)), [0, 2, 4, 6, 8])


@story()
def not_remote():
    """the client refuses to call it as if it were none, and runs it here by `local`."""
    with raises(modal.exception.InvalidError, "generator"):
        count.remote(3)
    equal(list(count.local(3)), [0, 1, 2])


@app.local_entrypoint()
def main():
    tell()


@app.local_entrypoint()
def slowly(upto: int):
    """Tells of each item, so that something can be done in the middle."""
    found = []
    for number in count.remote_gen(upto, pause=0.01):
        found.append(number)
        print("item", number)
    equal(found, list(range(upto)))
    print("all", upto, "came once and in order")
