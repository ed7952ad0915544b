"""Many inputs of one function at a time."""

import asyncio

import modal
from story import equal, raises, story, tell

app = modal.App("maps", image=modal.Image.debian_slim().add_local_python_source("story"))


class Odd(Exception):
    pass


@app.function(max_containers=1)
@modal.concurrent(max_inputs=20)
async def nap(seconds: float):
    await asyncio.sleep(seconds)
    return seconds


@app.function(max_containers=2)
def power(base: int, exponent: int = 2, *, plus: int = 0) -> int:
    return base**exponent + plus


@app.function(max_containers=1)
def even(number: int) -> int:
    if number % 2:
        raise Odd(f"{number} is odd")
    return number


@app.function(cpu=1, max_containers=1)
@modal.concurrent(max_inputs=100)
async def nothing(number):
    pass


@app.function(max_containers=2)
def squares_to(number: int) -> int:
    return sum(power.map(range(number)))


@story()
def ordered():
    """`map` gives results in the order of its inputs, however long each takes."""
    equal(list(nap.map([0.5, 0.0, 0.2, 0.0])), [0.5, 0.0, 0.2, 0.0])


@story()
def unordered():
    """with `order_outputs=False` it gives each as soon as it is there."""
    found = nap.map([3.0, 0.0], order_outputs=False)
    equal([next(found := iter(found)), next(found)], [0.0, 3.0])


@story()
def kwargs():
    """`kwargs=` goes to every input, and several iterators are the positional arguments."""
    equal(list(power.map([2, 3], [3, 2], kwargs={"plus": 1})), [9, 10])


@story()
def starmap():
    """`starmap` spreads tuples."""
    equal(list(power.starmap([(2, 3), (5,)], kwargs={"plus": 1})), [9, 26])


@story()
def for_each():
    """`for_each` waits for all, and gives nothing."""
    equal(power.for_each(range(5)), None)


@story()
def for_each_raises():
    """it raises what an input raised, or ignores it."""
    with raises(Odd, "1 is odd"):
        even.for_each([0, 1])
    equal(even.for_each([0, 1, 2], ignore_exceptions=True), None)


@story()
def exceptions_raised():
    """an input's exception ends the iteration, after what comes before it."""
    seen = []
    with raises(Odd, "5 is odd"):
        for number in even.map([0, 2, 4, 5, 6]):
            seen.append(number)
    equal(seen, [0, 2, 4])


@story()
def exceptions_returned():
    """with `return_exceptions=True` an exception stands where its result would."""
    zero, one, two = even.map(range(3), return_exceptions=True, **unwrapped)
    equal([zero, two], [0, 2])
    assert isinstance(one, Odd) and str(one) == "1 is odd", repr(one)


@story(only="1.3")
def exceptions_wrapped():
    """the old client wraps what it returns, unless it is told not to."""
    zero, one = even.map(range(2), return_exceptions=True)
    equal(zero, 0)
    assert isinstance(one, modal.exception.UserCodeException), repr(one)
    equal(repr(one.exc), "Odd('1 is odd')")


@story(only=r"1\.6")
def large():
    """500 empty inputs come back, once each."""
    equal(list(nothing.map(range(500))), [None] * 500)


@story()
def slow_source():
    """results come while a slow generator still gives inputs."""
    seen = []

    async def source():
        for number in range(3):
            yield number
            while number**2 not in seen:
                await asyncio.sleep(0.01)

    async def collect():
        async for result in power.map.aio(source()):
            seen.append(result)

    asyncio.run(asyncio.wait_for(collect(), 30))
    equal(seen, [0, 1, 4])


@story()
def source_raises():
    """a generator of inputs that raises ends the map with that."""

    def source():
        yield 1
        raise ArithmeticError("no more")

    with raises(ArithmeticError, "no more"):
        list(power.map(source()))


@story()
def empty():
    """a map of nothing gives nothing, and ends."""
    equal(list(power.map([])), [])


@story()
def aio():
    """`.aio` does the same in coroutines, two at once, over async generators as well."""

    async def source(start):
        for number in range(start, start + 50):
            yield number

    async def collect(start):
        return [result async for result in power.map.aio(source(start))]

    async def both():
        starred = [result async for result in power.starmap.aio([(2, 3)])]
        await power.for_each.aio([1])
        return [*await asyncio.gather(collect(0), collect(100)), starred]

    expected = [[number**2 for number in range(start, start + 50)] for start in (0, 100)]
    equal(asyncio.run(both()), [*expected, [8]])


@story()
def nested():
    """a function of a map can map itself."""
    equal(list(squares_to.map([3, 4])), [5, 14])


@story()
def left_early():
    """who leaves a map early can call the function again at once."""
    for _ in nothing.map(range(500)):
        break
    equal(list(nothing.map(range(3))), [None] * 3)


@story()
def generator_refused():
    """a generator cannot be mapped over, and the client says so."""
    with raises(modal.exception.InvalidError, "generator"):
        list(counting.map([1]))


@app.function(max_containers=1)
def counting(number: int):
    yield from range(number)


unwrapped = {"wrap_returned_exceptions": False} if modal.__version__.startswith("1.3") else {}


@app.local_entrypoint()
def main():
    tell()
