"""What functions ask for beside code: granted, told of, or refused; never ignored."""

import socket

import modal
from story import equal, raises, story, tell

app = modal.App("wishes", image=modal.Image.debian_slim().add_local_python_source("story"))

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
def place(region: str = "", cores: float = 0.125):
    print("answer", granted(cpu=cores, **({"region": region} if region else {})))


@app.local_entrypoint()
def much():
    """What has no meaning here, or is more than there is."""
    wishes = {"enable_memory_snapshot": True, "nonpreemptible": True, "region": "eu-west"}
    print("answer", granted(cpu=1_000.0, memory=10_000_000, **wishes))
