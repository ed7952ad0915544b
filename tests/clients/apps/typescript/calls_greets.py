"""Calls functions that are written in TypeScript, as a deployed app."""

import datetime

import modal


def of(name: str) -> modal.Function:
    return modal.Function.from_name("greets", name)


assert of("greet").remote("Ada") == ["Hello, Ada"]
assert of("greet").remote("Ada", times=2) == ["Hello, Ada", "Hello, Ada"]
assert list(of("greet").map(["a", "b", "c"])) == [["Hello, a"], ["Hello, b"], ["Hello, c"]]

now = datetime.datetime(2026, 11, 30, tzinfo=datetime.timezone.utc)
found = of("kinds").remote(1, 1.5, "x", b"y", None, True, [1], {"a": 1}, {1: 2}, {3}, now, 2**70)
expected = "number number string Uint8Array null boolean Array Object Map Set Date bigint"
assert found["seen"] == expected.split(), found["seen"]
assert found["date"] == datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.timezone.utc)
assert (found["set"], found["large"], found["bytes"]) == ({1, 2}, 2**70, b"\0\xff")
assert "left" not in found

assert of("nothing").remote() is None
assert list(of("letters").remote_gen("abc")) == ["a", "b", "c"]
assert of("greet").spawn("Bob").get(timeout=60) == ["Hello, Bob"]
try:
    of("fails").remote(7)
    raise AssertionError("it did not raise")
except Exception as error:
    assert type(error).__name__ == "RemoteError" and str(error) == "RangeError: no user 7", repr(error)
results = list(of("fails").map([1, 2], return_exceptions=True))
assert ["no user 1" in str(each) for each in results] == [True, False], results
counter = modal.Cls.from_name("greets", "Counter")(label="n", start=40)
assert counter.count.remote(2) == "n 42"
assert list(counter.upTo.remote_gen(43)) == [40, 41, 42]
print("all of it holds")
