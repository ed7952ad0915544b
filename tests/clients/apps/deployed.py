"""An app to deploy; apps/callers.py deploys it, in more than one edition."""

import os

import modal

EDITION = "first"

app = modal.App("deployed")


@app.function(max_containers=1)
def edition(before: str = "", until: str = ""):
    """Which edition answers, and from where; between two signs, if they are named."""
    if before:
        sign = modal.Function.from_name("signs", "sign")  # of apps/story.py
        sign.remote(before, give=True)
        sign.remote(until)
    return EDITION, os.environ["MODAL_TASK_ID"]


@app.function(max_containers=1)
def square(number: int) -> int:
    return number**2


@app.cls(max_containers=1)
class Scale:
    factor: int = modal.parameter(default=2)

    @modal.method()
    def up(self, number: int) -> int:
        return self.factor * number

    @modal.method()
    def steps(self, upto: int):
        for number in range(upto):
            yield self.factor * number


attempts: dict[str, int] = {}


@app.function(max_containers=1)
def tally(name: str) -> int:
    """How often it was asked before; its one container outlives those that die."""
    attempts[name] = attempts.get(name, 0) + 1
    return attempts[name] - 1


@app.function(max_containers=1)
def dies(name: str, times: int) -> int:
    before = tally.remote(name)
    if before < times:
        os._exit(3)
    return before


@app.function(max_containers=1)
def always_dies():
    os._exit(3)


@app.function(min_containers=1)
def kept():
    return EDITION, os.environ["MODAL_TASK_ID"]
