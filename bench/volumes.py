"""Times of commits, reloads and reads of volumes inside of containers; bench/volumes.ts runs it and prints a table."""

import json
import os
import shutil
import statistics
import subprocess
import time

import modal

app = modal.App("bench-volumes", image=modal.Image.debian_slim())
volume = modal.Volume.from_name("bench", create_if_missing=True, version=2)
FILES = int(os.environ.get("BENCH_FILES", "10000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
STARTS = int(os.environ.get("BENCH_STARTS", "15"))
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
print("ready", flush=True)
last = time.perf_counter()
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
    watching.stdout.readline()
    time.sleep(0.1)
    took = timed(work)
    watching.terminate()
    return took, float(watching.communicate()[0]) * 1000


def idle_gap(ms):
    """How long the container stands still in such a time when nothing is asked of it: what others on the machine do."""
    return watched(lambda: time.sleep(ms / 1000))[1]


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


def read(path, cold):
    if cold:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    return timed(lambda: subprocess.run(["dd", f"if={path}", "of=/dev/null", "bs=1M", "status=none"], check=True))


def reads(paths, cold):
    """The median of each, read in turn, and which one is read first in turn as well."""
    times = {path: [] for path in paths}
    for _ in range(5):
        for path in paths:
            times[path].append(read(path, cold))
        paths = paths[::-1]
    return [statistics.median(each) for each in times.values()]


@app.function(volumes={"/data": volume}, timeout=1800, cpu=2)
def writes(name, make):
    """How long a commit takes, how long the container stands still, how long a copy takes, and until others see the commit."""
    {"many": spread, "large": large}[make](f"/data/{name}")
    took, still = watched(volume.commit)
    there = timed(volume.reload)  # what has returned may be on its way: a copy beside it would take longer
    found = {"commit": took, "still": still, "seen": took + there, "idle": idle_gap(took)}
    found["copy"] = copied(f"/data/{name}")
    if make == "large":
        for how in ("cold", "warm"):
            found[how] = reads(["/data/large", "/tmp/copy"], how == "cold")
    shutil.rmtree("/tmp/copy") if make == "many" else os.remove("/tmp/copy")
    return found


@app.function(volumes={"/data": volume}, timeout=1800)
def reloads():
    return timed(volume.reload)


@app.function(volumes={"/data": volume}, timeout=1800)
def watched_reloads():
    """In a container of its own, for who looks on takes one of the machine's processors."""
    took, still = watched(volume.reload)
    return {"still": still, "idle": idle_gap(took)}


def reloaded():
    time.sleep(3)  # the worker makes a layer of a commit when it is made
    return {"took": reloads.remote(), **watched_reloads.remote()}


@app.function(single_use_containers=True)
def starts_bare():
    pass


@app.function(volumes={"/data": modal.Volume.from_name("bench-wide", create_if_missing=True)}, single_use_containers=True)
def starts_wide():
    return len(os.listdir("/data"))


@app.local_entrypoint()
def main():
    found = {"many": [], "large": [], "many reloaded": [], "large reloaded": [], "bare": [], "wide": []}
    reloads.remote(), watched_reloads.remote()
    for round in range(ROUNDS):
        found["many"].append(writes.remote(f"many-{round}", "many"))
        found["many reloaded"].append(reloaded())
    found["large"].append(writes.remote("large", "large"))
    found["large reloaded"].append(reloaded())
    found["first wide"] = timed(starts_wide.remote) if STARTS > 0 else 0
    for _ in range(STARTS):
        for name, starts in (("bare", starts_bare), ("wide", starts_wide)):
            time.sleep(1)  # until a starter waits again
            found[name].append(timed(starts.remote))
    print(json.dumps(found), flush=True)
