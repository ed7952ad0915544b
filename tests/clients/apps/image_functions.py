"""Functions that are steps of images: what they are given, what they leave, and how they fail."""

import os
import pathlib
import re
import time

import modal
from story import equal, raises, story, tell

app = modal.App("image-functions")
version = re.sub(r"\W", "-", modal.__version__)
BuildError = modal.exception.RemoteError if version.startswith("1-3") else modal.exception.ImageBuildError

# So that no version takes what another one has made. What a function imports beside its own file must be in the image.
base = (
    modal.Image.debian_slim(python_version="3.11")
    .add_local_file(pathlib.Path(__file__).parent / "story.py", "/stories/story.py", copy=True)
    .env({"PYTHONPATH": "/stories", "VERSION": version})
)

GREETING = "hello"


def writes(name, *, punctuation):
    print(f"writes a greeting to {name}")
    made = pathlib.Path("/made")
    made.mkdir()
    (made / "greeting").write_text(f"{GREETING}, {name}{punctuation}")
    (made / "seen").write_text(f"{os.environ['TOKEN']} {os.environ['VERSION']} {modal.is_local()} {__file__}")


written = base.run_function(
    writes,
    args=("world",),
    kwargs={"punctuation": "!"},
    secrets=[modal.Secret.from_dict({"TOKEN": "t0ken"})],
    cpu=1,
    memory=512,
    timeout=60,
)


@app.function(image=written)
def reads(path):
    return pathlib.Path(path).read_text(), os.environ.get("TOKEN")


@story()
def leaves():
    """It has its arguments, globals, secrets and sources, and what it writes is the image's"""
    equal(reads.remote("/made/greeting"), ("hello, world!", None))
    equal(reads.remote("/made/seen"), (f"t0ken {version} False /root/image_functions.py", None))


async def asks(size):
    with raises(modal.exception.NotFoundError, "nowhere"):
        await modal.Function.from_name("nowhere", "nothing").hydrate.aio()
    return b"x" * size


@story(only=r"1\.6")
def kinds():
    """It may be a coroutine, ask the platform, and return a lot"""
    base.run_function(asks, args=(3 << 20,)).build(app)


def stamps(_what):
    pathlib.Path("/stamp").write_text(str(time.time_ns()))


@story(only=r"1\.6")
def equal_ones():
    """Equal ones are one image; other arguments and force_build make another one"""
    first = base.run_function(stamps, args=("a",)).build(app).object_id
    equal(base.run_function(stamps, args=("a",), timeout=100, cpu=0.5).build(app).object_id, first)
    others = [base.run_function(stamps, args=("b",)), base.run_function(stamps, args=("a",), force_build=True)]
    equal(len({first, *(other.build(app).object_id for other in others)}), 3)


def breaks():
    print("almost")
    raise ValueError("it broke")


@story()
def raises_in_it():
    """What it raises is the build's error, with the traceback"""
    with raises(BuildError, r"(?s)run_function breaks: the function failed\n.*almost.*in breaks.*ValueError: it broke"):
        base.run_function(breaks).build(app)


def exits():
    os._exit(3)


def fills():
    return len(bytearray(1 << 30))


@story(only=r"1\.6")
def dies():
    """One that dies, or needs more memory than it may have, says so"""
    with raises(BuildError, r"ended with code 3 before the function had returned"):
        base.run_function(exits).build(app)
    with raises(BuildError, r"the function ran out of memory: its limit is 256 MiB"):
        base.run_function(fills, memory=(128, 256)).build(app)


def hangs():
    time.sleep(60)


@story(only=r"1\.6")
def takes_long():
    """One that takes too long says so"""
    with raises(BuildError, r"timed out"):
        base.run_function(hangs, timeout=1).build(app)


volume = modal.Volume.from_name(f"of-images-{version}", create_if_missing=True)


def mounts(name):
    place = pathlib.Path("/mounted")
    (place / name).write_text("written by a function")
    if not modal.is_local():
        modal.Volume.from_name(f"of-images-{version}").commit()
    pathlib.Path("/seen").write_text(" ".join(sorted(each.name for each in place.iterdir())))


@app.function(image=base.run_function(mounts, args=("by-function",), volumes={"/mounted": volume}))
def sees():
    return pathlib.Path("/seen").read_text(), os.path.exists("/mounted")


@story()
def volumes():
    """It has its volumes, what it writes there is theirs, and nothing of them is the image's"""
    equal(sees.remote(), ("by-function", False))
    equal(b"".join(volume.read_file("by-function")), b"written by a function")


@story(only=r"1\.6")
def volumes_of_commands():
    """Commands have volumes, too"""
    seen = base.run_commands("cat /vol/sub/* > /copied; echo kept > /vol/sub/kept", "test -e /vol/sub/kept", volumes={"/vol": volume})
    with volume.batch_upload(force=True) as batch:
        batch.put_file(__file__, "sub/given.py")
    seen.run_commands("grep -q volumes_of_commands /copied", "test ! -e /vol").build(app)
    equal(b"".join(volume.read_file("sub/kept")), b"kept\n")
    with raises(BuildError, r"Read-only file system"):
        base.run_commands("echo x > /vol/x", volumes={"/vol": volume.with_mount_options(read_only=True)}).build(app)


@story(only=r"1\.6")
def refused():
    """A GPU is refused by its name: no step has one"""
    with raises(modal.exception.InvalidError, r"GPU that no worker has"):
        base.run_function(stamps, args=("a",), gpu="H100").build(app)


@app.local_entrypoint()
def main():
    tell()
