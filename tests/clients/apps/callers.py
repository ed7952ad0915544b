"""Calls what apps/deployed.py has deployed, from outside and from another app."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import modal
from story import equal, raises, story, tell, until

app = modal.App("callers", image=modal.Image.debian_slim().add_local_python_source("story"))

folder = pathlib.Path(__file__).parent


def command(*args: str):
    """A command of the client, as a user gives it."""
    done = subprocess.run([sys.executable, "-m", "modal", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def deploy(name: str, edition: str):
    with tempfile.TemporaryDirectory() as place:
        file = pathlib.Path(place, "deployed.py")
        text = (folder / "deployed.py").read_text()
        file.write_text(text.replace('EDITION = "first"', f'EDITION = "{edition}"'))
        command("deploy", "--name", name, str(file))


def containers(function) -> int:
    return function.get_current_stats().num_total_runners


@app.function()
def across(number: int):
    """Calls another app by its names."""
    square = modal.Function.from_name("deployed", "square")
    scale = modal.Cls.from_name("deployed", "Scale")
    return square.remote(number), scale(factor=3).up.remote(number), list(scale().steps.remote_gen(number))


@story()
def function():
    """a deployed function is called by its app's name and its own, in every way."""
    square = modal.Function.from_name("deployed", "square")
    equal([square.remote(3), square.spawn(4).get(), list(square.map(range(4)))], [9, 16, [0, 1, 4, 9]])
    equal(modal.Function.from_name("deployed", "square", environment_name="main").remote(5), 25)


@story()
def cls():
    """so is a class, with parameters and options."""
    scale = modal.Cls.from_name("deployed", "Scale")
    equal([scale().up.remote(4), scale(factor=5).up.remote(4)], [8, 20])
    equal(list(scale(factor=5).steps.remote_gen(3)), [0, 5, 10])
    equal(scale.with_options(timeout=20)(factor=7).up.remote(2), 14)


@story()
def nested():
    """a function of one app calls another app."""
    equal(across.remote(3), (9, 9, [0, 2, 4]))


@story()
def lookup():
    """an app is looked up by its name, or made."""
    found = modal.App.lookup("deployed")
    assert found.app_id.startswith("ap-")
    with raises(modal.exception.NotFoundError, '"neither"'):
        modal.App.lookup("neither")
    made = modal.App.lookup("made", create_if_missing=True)
    equal(modal.App.lookup("made", create_if_missing=True).app_id, made.app_id)


@story()
def unknown():
    """a name that does not exist is said to be none, and what there is."""
    for kind, app_name, name, words in [
        (modal.Function, "deployed", "cube", 'has no function "cube".*square'),
        (modal.Function, "deploid", "square", 'App "deploid" is not deployed'),
        (modal.Cls, "deployed", "Scales", 'has no class "Scales".*Scale'),
        (modal.Cls, "deployed", "square", "square"),
        (modal.Function, "deployed", "Scale", r"Cls\.from_name|is a class"),
    ]:
        with raises(modal.exception.NotFoundError, words):
            kind.from_name(app_name, name).hydrate()
    with raises(modal.exception.NotFoundError, '"nowhere"'):
        modal.Function.from_name("deployed", "square", environment_name="nowhere").remote(1)


@story()
def redeployed():
    """a new deployment takes over when its container is ready, none is lost meanwhile, and what runs ends in the old."""
    name = f"editions-{os.getpid()}"
    deploy(name, "first")
    edition, kept = modal.Function.from_name(name, "edition"), modal.Function.from_name(name, "kept")
    sign = modal.Function.from_name("signs", "sign")
    equal([edition.remote()[0], kept.remote()[0]], ["first", "first"])
    running = edition.spawn(before=f"{name} begins", until=f"{name} goes on")
    sign.remote(f"{name} begins")
    deploy(name, "second")
    until(lambda: kept.remote()[0] == "second")  # the container that is always there is replaced
    waiting = edition.spawn()
    sign.remote(f"{name} goes on", give=True)
    equal([running.get()[0], waiting.get()[0]], ["first", "second"])


@story()
def crashing():
    """a deployed function whose container dies is tried again, later each time, for as long as it takes."""
    dies = modal.Function.from_name("deployed", "dies")
    begun = time.monotonic()
    equal(dies.remote(f"twice {os.getpid()}", 2), 2)
    assert time.monotonic() - begun > 3, "after the first it waits a second, after the second two"
    equal(dies.remote(f"never {os.getpid()}", 0), 0)
    always = modal.Function.from_name("deployed", "always_dies").spawn()
    with raises(TimeoutError):
        always.get(timeout=9)  # it has died at once, and after one, three and seven seconds
    always.cancel()


@story()
def always():
    """`min_containers` of a deployed app are there without a call, until the app is stopped."""
    deploy("always", "first")
    kept = modal.Function.from_name("always", "kept")
    until(lambda: containers(kept) == 1)
    command("app", "stop", "always", *([] if modal.__version__.startswith("1.3") else ["--yes"]))
    with raises(modal.exception.Error):
        kept.remote()
    with raises(modal.exception.NotFoundError, "not deployed"):
        modal.Function.from_name("always", "kept").remote()


@app.local_entrypoint()
def main():
    command("deploy", f"{folder / 'story.py'}::signs")
    deploy("deployed", "first")
    tell()
