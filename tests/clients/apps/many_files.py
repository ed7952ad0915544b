"""Mounts of many files: laid through the image's links, for reading only, with small mounts beside them."""

import pathlib
import sys
import tempfile

import modal

app = modal.App("many-files")
count = 700

if modal.is_local():
    folder = pathlib.Path(tempfile.mkdtemp())
    for number in range(count):
        (folder / str(number % 7)).mkdir(exist_ok=True)
        (folder / str(number % 7) / f"{number}.txt").write_text(f"file {number}")
    few = pathlib.Path(tempfile.mkdtemp())
    (few / "0.txt").write_text("another")
    base = modal.Image.debian_slim(python_version=f"{sys.version_info.major}.{sys.version_info.minor}")
    linked = base.run_commands("mkdir -p /opt/real && ln -s /opt/real /data")
    image = linked.add_local_dir(folder, "/data/files")
    both = image.add_local_dir(few, "/data/files/few")
else:
    image = both = modal.Image.debian_slim()


def look():
    files = [path for path in pathlib.Path("/opt/real/files").rglob("*") if path.is_file()]
    first = pathlib.Path("/data/files/0/0.txt")
    found = len(files), first.read_text(), pathlib.Path("/data").is_symlink()
    pathlib.Path("/data/files/1/new").write_text("new")
    for change in (first.write_text, lambda _: first.chmod(0o777)):
        try:
            change("changed")
        except OSError:
            pass
    return *found, first.read_text()


@app.function(image=image, single_use_containers=True)
def seen():
    return look()


@app.function(image=both)
def beside():
    return pathlib.Path("/opt/real/files/few/0.txt").read_text(), look()[0]


@app.local_entrypoint()
def main():
    print("twice", seen.remote(), seen.remote())
    print("beside", beside.remote())
