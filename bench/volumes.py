"""Times of commits, reloads and reads of volumes inside of containers; bench/volumes.ts runs it and prints a table."""

import json
import os
import shutil
import subprocess
import time

import modal

app = modal.App("bench-volumes", image=modal.Image.debian_slim())
volume = modal.Volume.from_name("bench", create_if_missing=True, version=2)
FILES = int(os.environ.get("BENCH_FILES", "10000"))
MIB = int(os.environ.get("BENCH_MIB", "2048"))

# A process that only looks at the clock: its longest gap is how long the container stood still.
watcher = """
import signal, sys, time
worst, last = 0.0, time.perf_counter()
done = False
def end(*_):
    global done
    done = True
signal.signal(signal.SIGTERM, end)
while not done:
    now = time.perf_counter()
    worst, last = max(worst, now - last), now
print(worst)
"""


def timed(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def watched(work):
    watching = subprocess.Popen(["python3", "-c", watcher], stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    took = timed(work)
    watching.terminate()
    return took, float(watching.communicate()[0]) * 1000


def spread(folder):
    os.makedirs(folder)
    for i in range(FILES):
        with open(f"{folder}/{i}", "wb") as file:
            file.write(b"x" * 500 + str(i).encode())


def large(path):
    block = os.urandom(8 << 20)
    with open(path, "wb") as file:
        for i in range(MIB // 8):
            file.write(i.to_bytes(8, "big") + block[8:])


def copied(source):
    return timed(lambda: subprocess.run(f"cp -a {source} /tmp/copy && sync", shell=True, check=True))


def read(path):
    return timed(lambda: subprocess.run(["dd", f"if={path}", "of=/dev/null", "bs=1M", "status=none"], check=True))


@app.function(volumes={"/data": volume}, timeout=1800, cpu=2)
def writes():
    found = {}
    for name, make in (("many", spread), ("large", large)):
        make(f"/data/{name}")
        found[name] = (*watched(volume.commit), copied(f"/data/{name}"))
        if name == "large":
            found["read"] = (read("/data/large"), read("/tmp/copy"))
        shutil.rmtree("/tmp/copy") if name == "many" else os.remove("/tmp/copy")
    return found


@app.function(volumes={"/data": volume}, timeout=1800)
def reloads(begin):
    if begin:
        return None
    return watched(volume.reload)


@app.local_entrypoint()
def main():
    reloads.remote(True)
    found = writes.remote()
    found["reload"] = reloads.remote(False)
    print(json.dumps(found), flush=True)
