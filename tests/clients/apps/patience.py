"""Functions that go on until they are let go, for as long as they may."""

import os
import subprocess
import sys
import time

import modal
import signs

image = modal.Image.debian_slim().add_local_python_source("signs")
app = modal.App("patience", image=image)


@app.function()
def wait() -> str:
    """Says that it runs, and waits; answers where it ran."""
    me = os.environ["MODAL_TASK_ID"]
    print("it runs in", me)
    signs.pause()
    return me


@app.function()
def with_children():
    """Has a child of its own, which ignores all that can be ignored."""
    ignoring = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15, 1)]; print('child', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", ignoring], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        wait.local()


@app.function()
def quick(number: int) -> int:
    return number + 1


@app.local_entrypoint()
def main():
    print("answer from", wait.remote())


@app.local_entrypoint()
def children():
    with_children.remote()


@app.local_entrypoint()
def idle():
    """Interrupted while no input runs."""
    print("answer", quick.remote(1))
    time.sleep(600)
