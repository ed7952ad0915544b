"""Lies beside apps that tell stories: checks of one behaviour each, whose ends are told in one line each."""

import asyncio
import contextlib
import json
import os
import re
import sys
import threading
import time
import traceback

import modal

# One that waits longer says where it hangs, instead of holding up all that come after it.
PATIENCE_SECONDS = 90

told = []

# For apps whose functions and stories wait for each other: `app.include(signs)`.
signs = modal.App("signs")
events = {}


@signs.function(max_containers=1)
@modal.concurrent(max_inputs=100)
async def sign(name: str, give: bool = False):
    """Gives a sign, or waits for it, from whatever container."""
    event = events.setdefault(name, asyncio.Event())
    if give:
        event.set()
    await event.wait()


def story(*, only: str = ""):
    """Marks a check, whose docstring is its title. `only` is a pattern of the client versions that have the feature."""

    def mark(check):
        if re.match(only, modal.__version__):
            told.append(check)
        return check

    return mark


def tell(at_once: int = 4):
    """Runs all, some of them at a time, since most wait for containers; those named in STORIES, if there are any."""
    turns = threading.Semaphore(at_once)
    wanted = os.environ.get("STORIES", "").split()
    telling = [Telling(check, turns) for check in told if not wanted or check.__name__ in wanted]
    for each in telling:
        each.thread.start()
    for each in telling:
        each.ended.wait()


class Telling:
    """One story in a thread of its own, which does not keep the program from ending when it hangs."""

    def __init__(self, check, turns):
        self.check = check
        self.turns = turns
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        with self.turns:
            watch = threading.Timer(PATIENCE_SECONDS, self.hangs)
            watch.daemon = True
            watch.start()
            try:
                self.check()
                self.end("passed")
            except BaseException:
                self.end("failed", traceback.format_exc())
            watch.cancel()

    def hangs(self):
        stack = "".join(traceback.format_stack(sys._current_frames()[self.thread.ident]))
        self.end("failed", f"after {PATIENCE_SECONDS} s it is here:\n{stack}")

    def end(self, how, why=""):
        if not self.ended.is_set():
            # In one piece and on lines of its own, whatever else is printed.
            title = json.dumps(title_of(self.check), ensure_ascii=False)
            print(f"\nstory {title} {how} {json.dumps(why)}\n", end="", flush=True)
        self.ended.set()


def title_of(check) -> str:
    return check.__doc__.partition("\n")[0].removesuffix(".")


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


@contextlib.contextmanager
def raises(kind, words: str = ""):
    """What is inside must raise this; the raised exception is then in the list that it gives."""
    caught = []
    try:
        yield caught
    except BaseException as error:
        assert isinstance(error, kind), f"{type(error).__name__} is no {kind.__name__}: {error}"
        assert re.search(words, str(error)), f"{words!r} is not in: {error}"
        caught.append(error)
        return
    raise AssertionError(f"no {kind.__name__} was raised")


def until(look, seconds: float = 30):
    """Looks until the answer is true, for what tells nobody when it changes."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, f"after {seconds} s it is {answer!r}"
        time.sleep(0.02)
    return answer
