"""Values of many types go to a function and come back; the local entry point compares them."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import hashlib
import pathlib
import uuid

import modal

app = modal.App("values")


class Color(enum.Enum):
    RED = 1
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: float
    tags: list


Pair = collections.namedtuple("Pair", "left right")

VALUES = {
    "none": None,
    "booleans": [True, False],
    "integers": [0, -1, 2**31, 2**63, -(2**200)],
    "floats": [0.0, -1.5, 1e308, float("inf"), float("-inf")],
    "complex": 1 + 2j,
    "text": ["", "plain", "ünïcödé \N{SNOWMAN} \U0001f600", "nul\0inside", "lines\r\nand\n"],
    "bytes": [b"", bytes(range(256)), bytearray(b"changeable")],
    "containers": {"list": [1, [2, [3]]], "tuple": (1, (2,)), "set": {1, 2}, "frozen": frozenset({"a"})},
    "keys": {1: "int", "1": "text", (1, 2): "tuple", None: "none", b"b": "bytes"},
    "dates": [
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 12, 30, 59, 999999),
        datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc),
        datetime.timedelta(days=-1, microseconds=1),
    ],
    "numbers": [decimal.Decimal("0.1"), fractions.Fraction(1, 3)],
    "uuid": uuid.UUID(int=2**127),
    "paths": [pathlib.PurePosixPath("/a/b"), pathlib.PureWindowsPath("c:/d")],
    "collections": [collections.OrderedDict(b=1, a=2), collections.Counter("hello"), collections.deque([1, 2], 5)],
    "ranges": [range(0, 10, 3), slice(1, None, 2)],
    "enum": [Color.RED, Color.BLUE],
    "dataclass": Point(1, 2.5, ["a"]),
    "named tuple": Pair(left=1, right=Pair(2, 3)),
    "type": [int, Point, Color],
    "exception": ValueError,
    "ellipsis": [..., NotImplemented],
}


@app.function()
def echo(*args, **kwargs):
    return args, kwargs


@app.function()
def defaults(first, second=2, *, third="three"):
    return first, second, third


@app.function()
def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@app.function()
def pattern(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


@app.local_entrypoint()
def types():
    for name, value in VALUES.items():
        args, kwargs = echo.remote(value, keyword=value)
        assert args == (value,), (name, args)
        assert kwargs == {"keyword": value}, (name, kwargs)
        assert repr(args[0]) == repr(value), (name, args[0])
    back = echo.remote(float("nan"))[0][0]
    assert back != back
    assert defaults.remote(1) == (1, 2, "three")
    assert defaults.remote(1, third=3) == (1, 2, 3)
    assert defaults.remote(second="b", first="a") == ("a", "b", "three")
    assert defaults.local(1) == (1, 2, "three")
    assert echo.remote() == ((), {})
    print(f"{len(VALUES)} kinds of values came back equal")


@app.local_entrypoint()
def sizes(sizes: str):
    """Each size both ways: as an argument and as a result."""
    for size in map(int, sizes.split(",")):
        data = pattern.local(size)
        assert digest.remote(data) == hashlib.sha256(data).hexdigest(), size
        assert pattern.remote(size) == data, size
        print(f"{size} bytes went both ways")
