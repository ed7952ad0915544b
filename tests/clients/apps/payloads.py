"""Arguments, results and exceptions of all sizes, and those that cannot travel."""

import hashlib
import sys
import threading
import types

import modal
from story import equal, raises, story, tell

app = modal.App("payloads", image=modal.Image.debian_slim().add_local_python_source("story"))

KIB, MIB = 1024, 1024 * 1024


def data(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


@app.function(cpu=1, max_containers=1)
def echo(received: bytes, *more: bytes, size: int = 0, **named: bytes):
    """What has arrived, as a digest, and so many bytes."""
    return digest(received, *more, *named.values()), data(size)


class Local(Exception):
    """Takes more than it passes on, so that pickle cannot make it again."""

    def __init__(self, first, second):
        super().__init__(first)


def foreign(name: str) -> type:
    """A class of a module that only this container has."""
    module = types.ModuleType("only_remote")
    sys.modules["only_remote"] = module
    made = type(name, (Exception,), {"__module__": "only_remote"})
    setattr(module, name, made)
    return made


@app.function(max_containers=1)
def fail(how: str):
    match how:
        case "unpicklable":
            error = ValueError("it holds a lock")
            error.lock = threading.Lock()
            raise error
        case "unmakeable":
            raise Local("one", "two")
        case "foreign":
            raise foreign("Strange")("from far away")
        case "huge":
            raise ValueError("x" * 5 * MIB)
        case "caused":
            try:
                raise KeyError("the cause")
            except KeyError as cause:
                raise ValueError("the effect") from cause
        case "interrupt":
            raise KeyboardInterrupt
        case "lock":
            return threading.Lock()
        case "foreign value":
            return foreign("Thing")("a value")


@story()
def sizes():
    """arguments and results around the limit of a message, both ways."""
    for size in (0, 1, 2 * MIB - 100, 2 * MIB, 2 * MIB + 1, 5 * MIB):
        equal(echo.remote(data(size), size=size), (digest(data(size)), data(size)))


@story()
def sizes_spawned():
    """and those of spawned calls, whose limit is lower."""
    for size in (0, 8 * KIB - 100, 8 * KIB, 8 * KIB + 1, 100 * KIB, 3 * MIB):
        equal(echo.spawn(data(size), size=size).get(), (digest(data(size)), data(size)))


@story()
def sizes_mapped():
    """and those of maps, large and small ones in one."""
    sent = [data(size) for size in (3 * MIB, 10, 2 * MIB, 0, 3 * MIB)]
    equal([found for found, _ in echo.map(sent)], [digest(each) for each in sent])
    equal([len(found) for _, found in echo.map([b""] * 2, kwargs={"size": 3 * MIB})], [3 * MIB] * 2)


@story()
def several():
    """several large arguments, by position and by name."""
    parts = [data(MIB), data(MIB + 1), data(2 * MIB)]
    equal(echo.remote(*parts[:2], third=parts[2])[0], digest(*parts))


@story()
def unpicklable_argument():
    """an argument that cannot travel is refused before anything is sent."""
    with raises(Exception, "pickle"):
        echo.remote(threading.Lock())


@story()
def unpicklable_result():
    """a result that cannot travel is told, and the container goes on."""
    with raises(Exception, "pickle"):
        fail.remote("lock")


@story()
def unpicklable_exception():
    """an exception that cannot travel is told by its words."""
    with raises(modal.exception.SerializationError, "it holds a lock"):
        fail.remote("unpicklable")


@story()
def exception_that_cannot_be_made():
    """one that the caller cannot make again is told with its traceback."""
    with raises(modal.exception.ExecutionError, r'(?s)Could not deserialize remote exception.*raise Local\("one", "two"\)'):
        fail.remote("unmakeable")


@story()
def unknown_class():
    """one of a class that the caller does not have is told with its traceback, and a value of one by its module."""
    with raises(modal.exception.ExecutionError, r"(?s)only_remote.*Strange: from far away"):
        fail.remote("foreign")
    with raises(modal.exception.Error, "only_remote"):
        fail.remote("foreign value")


@story()
def huge_exception():
    """an exception of 5 MiB is one like others."""
    with raises(ValueError) as caught:
        fail.remote("huge")
    equal(len(str(caught[0])), 5 * MIB)


@story()
def cause():
    """an exception keeps its class and words, and the frames it came through."""
    with raises(ValueError, "the effect") as caught:
        fail.remote("caused")
    names = []
    frame = caught[0].__traceback__
    while frame:
        names.append(frame.tb_frame.f_code.co_name)
        frame = frame.tb_next
    assert names[-1] == "fail", names


@app.local_entrypoint()
def main():
    tell()


@app.local_entrypoint()
def huge(mebibytes: str):
    """So much both ways, one after another."""
    for size in map(int, mebibytes.split(",")):
        sent = data(size * MIB)
        found, back = echo.remote(sent, size=len(sent))
        assert (found, back) == (digest(sent), sent)
        print(f"{size} MiB went both ways")
