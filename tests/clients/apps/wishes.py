"""What functions ask for beside code: granted, told of, or refused; never ignored."""

import itertools
import os
import socket
import time

import modal
import signs
from story import equal, raises, story, tell, until

app = modal.App("wishes", image=modal.Image.debian_slim().add_local_python_source("story", "signs"))

# What those take that fill the machine.
CORES = float(os.environ.get("CORES", "0.125"))

def granted(**wishes) -> int:
    """Runs a function that asks for these, in an app of its own."""
    inner = modal.App("inner")

    @inner.function(serialized=True, **wishes)
    def answer():
        return 42

    with inner.run():
        return answer.remote()


@app.function(block_network=True)
def blocked(target: str = "") -> str:
    return reaches(target)


@app.function()
def free(target: str) -> str:
    return reaches(target)


def reaches(target: str) -> str:
    if not target:
        return "runs"
    address, port = target.rsplit(":", 1)
    try:
        socket.create_connection((address, int(port)), timeout=3).close()
    except OSError:
        return "closed"
    return "open"


@app.function(restrict_modal_access=True, max_containers=1)
def confined():
    """Tries to reach the platform from inside."""
    try:
        other.remote()
    except modal.exception.Error as error:
        return type(error).__name__, str(error)
    return "reached"


@app.function()
def other():
    return "reached"


@story()
def refused():
    """a GPU that no worker has is refused, with what there is."""
    with raises(modal.exception.InvalidError, r"(?s)H100:1.*GPUs of the workers"):
        granted(gpu="H100")
    with raises(modal.exception.InvalidError, "A100.*:2 or L4:1"):
        granted(gpu=["A100-40GB:2", "L4"])


@story()
def without_network():
    """`block_network` leaves a function its inputs and outputs."""
    equal(blocked.remote(), "runs")


@story()
def without_platform():
    """`restrict_modal_access` keeps a function from the platform."""
    name, words = confined.remote()
    assert name != "reached" and words, (name, words)


@app.local_entrypoint()
def main():
    tell()


@app.local_entrypoint()
def network(target: str):
    print("free", free.remote(target), "blocked", blocked.remote(target))


@app.local_entrypoint()
def place(region: str = "", cloud: str = ""):
    wishes = {"region": region, "cloud": cloud}
    print("answer", granted(**{name: wish for name, wish in wishes.items() if wish}))


@app.local_entrypoint()
def strict():
    for wish, words in [({"cpu": 1_000.0}, "1000 cores"), ({"memory": 10_000_000}, "10000000 MiB of memory")]:
        with raises(modal.exception.InvalidError, f"asks for {words}, and the largest worker has"):
            granted(**wish)
    if hasattr(quick, "with_options"):
        with raises(modal.exception.InvalidError, "asks for 1000 cores"):
            quick.with_options(cpu=1_000.0).remote()
    print("refused")


@app.local_entrypoint()
def much():
    """What has no meaning here, or is more than there is."""
    wishes = {"enable_memory_snapshot": True, "nonpreemptible": True, "region": "eu-west", "cloud": "gcp", "i6pn": True}
    proxy = modal.Proxy.from_name("office")
    print("answer", granted(cpu=1_000.0, memory=10_000_000, proxy=proxy, experimental_options={"a": "b"}, **wishes))


@app.function(cpu=(0.125, 0.25))
def burns() -> float:
    """Which part of a processor it gets when it wants a whole one."""
    wall, used = time.monotonic(), time.process_time()
    while time.monotonic() < wall + 2:
        pass
    return (time.process_time() - used) / (time.monotonic() - wall)


@app.local_entrypoint()
def limited():
    share = burns.remote()
    assert share < 0.4, share
    print("held to its limit")


@app.function(cpu=CORES)
def pauses(number: int = 0):
    """Goes on when its test lets it."""
    print("it runs in", os.environ["MODAL_TASK_ID"])
    signs.pause()
    return number


@app.function(cpu=CORES)
def pauses_too(number: int):
    return pauses.local(number)


@app.function(cpu=CORES)
def quick(number: int = 42):
    return number


@app.function(cpu=CORES)
def short(number: int):
    time.sleep(0.2)


@app.local_entrypoint()
def many(inputs: int):
    """All of them wait, in a container each as far as there may be enough."""
    print("answers", sorted(pauses.map(range(inputs))))


@app.local_entrypoint()
def crowded():
    """Two functions have all that first containers may take, and a third one waits until one of them has gone."""
    calls = [pauses.spawn(0), pauses_too.spawn(1)]
    until(lambda: sum(each.get_current_stats().num_running_inputs for each in (pauses, pauses_too)) == 2)
    print("answers", *[call.get() for call in [*calls, quick.spawn()]])


@app.function(cpu=CORES)
def asks_quick(number: int):
    return quick.remote(number)


@app.local_entrypoint()
def nested():
    """All that there is room for waits for a function that has no container yet."""
    print("answers", sorted(asks_quick.map(range(4))))


@app.local_entrypoint()
def flood(stop: str):
    """Fills the machine with work, until there is a file."""
    for number, _ in enumerate(short.map(itertools.count())):
        if number % 5 == 0:
            print("containers:", short.get_current_stats().num_total_runners)
        if os.path.exists(stop):
            break


@app.local_entrypoint()
def one():
    print("answer", quick.remote())
