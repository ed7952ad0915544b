"""One container commits again and again, another one reloads, while what they stand on is killed."""

import os
import time

import modal

app = modal.App("volume_kills", image=modal.Image.debian_slim())
vol = modal.Volume.from_name(os.environ.get("VOLUME", "killed"), create_if_missing=True, version=2)
COMMITS = int(os.environ.get("COMMITS", "40"))


def write(name, text):
    with open(f"/data/{name}", "w") as file:
        file.write(text)


@app.function(volumes={"/data": vol}, timeout=3600)
def commits(count):
    for i in range(count):
        # Of two files that belong together no state may show but one.
        write("left", str(i))
        write(f"file-{i}", str(i))
        write("right", str(i))
        vol.commit()
        print(f"committed {i}", flush=True)
        time.sleep(0.05)


@app.function(volumes={"/data": vol}, timeout=3600)
def watches(last):
    seen = -1
    while seen < last:
        vol.reload()
        if os.path.exists("/data/left"):
            left, right = open("/data/left").read(), open("/data/right").read()
            assert left == right, f"torn: {left} and {right}"
            assert int(left) >= seen, f"{left} after {seen}"
            seen = int(left)
            assert all(os.path.exists(f"/data/file-{i}") for i in range(seen + 1)), f"a file is missing at {seen}"
        time.sleep(0.05)
    return seen


@app.local_entrypoint()
def main():
    watching = watches.spawn(COMMITS - 1)
    commits.remote(COMMITS)
    assert watching.get(timeout=120) == COMMITS - 1
    names = {entry.path for entry in vol.listdir("/")}
    assert names == {"left", "right"} | {f"file-{i}" for i in range(COMMITS)}, names
    for i in range(COMMITS):
        assert b"".join(vol.read_file(f"file-{i}")) == str(i).encode()
    print("all is there", flush=True)
