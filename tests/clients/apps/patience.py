"""Functions that go on until a file appears, for as long as they are let."""

import os
import subprocess
import sys
import time

import modal

app = modal.App("patience")


@app.function()
def wait(folder: str, name: str = "go") -> str:
    """Tells by a file that it runs, and waits for another; answers who it is."""
    me = f"{os.getpid()} {os.environ.get('MODAL_TASK_ID')}"
    with open(f"{folder}/runs-{os.getpid()}", "w") as file:
        file.write(me)
    print("it runs")
    while not os.path.exists(f"{folder}/{name}"):
        time.sleep(0.01)
    return me


@app.function()
def with_children(folder: str):
    """Has a child of its own, which ignores all that can be ignored."""
    ignoring = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15, 1)]; print('child', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", ignoring, folder], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        wait.local(folder)


@app.function()
def quick(number: int) -> int:
    return number + 1


@app.local_entrypoint()
def main(folder: str, name: str = "go"):
    print("answer", wait.remote(folder, name))


@app.local_entrypoint()
def children(folder: str):
    with_children.remote(folder)


@app.local_entrypoint()
def idle(folder: str):
    """Interrupted while no input runs."""
    print("answer", quick.remote(1))
    wait.local(folder)
