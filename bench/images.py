"""What images cost one stock client: reads the name of a measurement from stdin, prints seconds as JSON.

Each measurement is told in pairs, the thing itself and what it is compared with, one after the other in one run.
"""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
import time
import uuid

import modal

base = modal.Image.debian_slim(python_version=f"{sys.version_info.major}.{sys.version_info.minor}")
rounds = int(os.environ.get("BENCH_ROUNDS", "5"))


def build(image: modal.Image) -> float:
    """Seconds for an image whose base is there."""
    app = modal.App("bench-build")
    with app.run():
        began = time.perf_counter()
        image.build(app)
        return time.perf_counter() - began


@contextlib.contextmanager
def running(image: modal.Image):
    """An app of one function in this image; yields how long it took to be there, and the function."""
    app = modal.App("bench-image")

    def hello():
        return 1

    function = app.function(image=image, serialized=True)(hello)
    began = time.perf_counter()
    with app.run():
        yield time.perf_counter() - began, function


def first_call(image: modal.Image) -> float:
    """Seconds of the call that has a container started."""
    with running(image) as (_, function):
        began = time.perf_counter()
        function.remote()
        return time.perf_counter() - began


def pairs(one, other) -> dict:
    one(), other()  # whatever is made once is there
    samples = [(one(), other()) for _ in range(rounds)]
    return {"one": [pair[0] for pair in samples], "other": [pair[1] for pair in samples]}


def built():
    """A chain of five images that are there, beside their base."""
    image = base
    for number in range(5):
        image = image.run_commands(f"echo {number}")

    def start(image):
        with running(image) as (seconds, _):
            return seconds

    return pairs(lambda: start(image), lambda: start(base))


def steps():
    """Eleven steps that do nothing, beside one; the difference is that of ten."""

    def make(count):
        mark = uuid.uuid4().hex
        return build(base.run_commands(*(f"true {mark} {number}" for number in range(count))))

    return pairs(lambda: make(11), lambda: make(1))


def files():
    """The first call of a function with 10,000 files, beside one without."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(10_000):
            place = pathlib.Path(folder, str(number % 100))
            place.mkdir(exist_ok=True)
            (place / f"{number}.txt").write_text(f"file {number}\n" * 20)
        image = base.add_local_dir(folder, "/root/files")
        return pairs(lambda: first_call(image), lambda: first_call(base))


def layers():
    """The first call of a function whose image has 30 layers of its own, beside one with one."""
    image = base.run_commands(*(f"echo {number} > /layer{number}" for number in range(30)))
    other = base.run_commands("echo 0 > /layer")
    return pairs(lambda: first_call(image), lambda: first_call(other))


def wheels():
    """pip installs wheels that lie in the image, with nothing cached."""
    found = base.add_local_dir(os.environ["BENCH_WHEELS"], "/wheels", copy=True)
    options = "--no-index --find-links /wheels --no-cache-dir"
    packages = os.environ["BENCH_PACKAGES"].split(",")
    build(found)

    def install():
        return build(found.env({"ROUND": uuid.uuid4().hex}).pip_install(*packages, extra_options=options))

    install()
    return {"one": [install() for _ in range(rounds)], "other": []}


for line in sys.stdin:
    print(json.dumps(globals()[line.strip()]()), flush=True)
