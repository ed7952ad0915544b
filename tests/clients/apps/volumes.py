"""Volumes: what the SDK does with them from outside, and what containers see of them."""

import io
import os
import pathlib
import re
import tempfile

import modal
from story import equal, raises, story, tell

app = modal.App("volumes", image=modal.Image.debian_slim().add_local_python_source("story"))

# Several clients tell these stories to one platform.
mine = re.sub(r"\W", "-", modal.__version__)
NotFound = modal.exception.NotFoundError
BLOCK = 8 * 1024 * 1024


def of_both_versions():
    for version in (1, 2):
        with modal.Volume.ephemeral(version=version) as vol:
            yield vol, version


def put(vol, files, force=False):
    with vol.batch_upload(force=force) as batch:
        for path, content in files.items():
            batch.put_file(io.BytesIO(content), path)


def tree(vol, path="/"):
    return sorted(f"{entry.path}/" if entry.type == 2 else entry.path for entry in vol.iterdir(path, recursive=True))


def content(vol, path):
    return b"".join(vol.read_file(path))


@story()
def names():
    """A named volume is made, found, listed, renamed and deleted; another version than its own is refused."""
    for version in (1, 2):
        name, other = f"name-{mine}-{version}", f"other-{mine}-{version}"
        with raises(NotFound, f'Volume "{name}" does not exist'):
            modal.Volume.from_name(name).hydrate()
        modal.Volume.objects.create(name, version=version)
        with raises(modal.exception.AlreadyExistsError, f'"{name}" exists already'):
            modal.Volume.objects.create(name)
        modal.Volume.objects.create(name, allow_existing=True)
        vol = modal.Volume.from_name(name, create_if_missing=True, version=version).hydrate()
        equal((vol.info().name, vol.info().created_by is not None), (name, True))
        with raises(modal.exception.InvalidError, f"has version v{version}"):
            modal.Volume.from_name(name, version=3 - version).hydrate()
        equal(modal.Volume.from_id(vol.object_id).info().name, name)
        modal.Volume.rename(name, other)
        assert other in [each.name for each in modal.Volume.objects.list()]
        put(vol, {"still": b"here"})
        equal(content(modal.Volume.from_name(other), "still"), b"here")
        modal.Volume.objects.delete(other)
        with raises(NotFound, "was deleted"):
            vol.listdir("/")
        with raises(NotFound):
            modal.Volume.objects.delete(other)
        modal.Volume.objects.delete(other, allow_missing=True)


@story()
def files():
    """Files are uploaded, listed, read, copied and removed."""
    for vol, version in of_both_versions():
        with tempfile.TemporaryDirectory() as folder:
            for path, text in {"one": "1", "deep/two": "22", "deep/er/three": "333"}.items():
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            pathlib.Path(folder, "one").chmod(0o755)
            with vol.batch_upload() as batch:
                batch.put_directory(folder, "/in")
                batch.put_file(io.BytesIO(b"bytes"), "/plain")
                batch.put_file(io.BytesIO(b""), "/empty")
        equal(tree(vol), ["empty", "in/", "in/deep/", "in/deep/er/", "in/deep/er/three", "in/deep/two", "in/one", "plain"])
        equal([(entry.path, entry.size) for entry in vol.listdir("/in/deep/two")], [("in/deep/two", 2)])
        equal(sorted(entry.path for entry in vol.listdir("in")), ["in/deep", "in/one"])
        equal((content(vol, "in/deep/er/three"), content(vol, "/empty")), (b"333", b""))
        vol.copy_files(["plain", "in/one"], "in/deep")
        vol.copy_files(["plain"], "renamed")
        equal(content(vol, "in/deep/plain") + content(vol, "renamed"), b"bytesbytes")
        if version == 2:
            vol.copy_files(["in"], "again", recursive=True)
            equal(len(tree(vol, "again")), len(tree(vol, "in")))
        vol.remove_file("plain")
        with raises(modal.exception.InvalidError, "in is a folder"):
            vol.remove_file("in")
        vol.remove_file("in", recursive=True)
        for gone in (lambda: content(vol, "plain"), lambda: vol.remove_file("in", recursive=True)):
            with raises(FileNotFoundError, "no such file or folder"):
                gone()
        with raises(NotFound, "in: there is no such"):
            vol.listdir("in")
        with raises(NotFound, "nothing: there is no such"):
            vol.copy_files(["nothing"], "x")



@story()
def overwriting():
    """A file that is there is replaced only by force, and then the whole batch is, or nothing of it."""
    for vol, version in of_both_versions():
        put(vol, {"a": b"old"})
        with raises(FileExistsError, "a: there is a file"):
            put(vol, {"new": b"new", "a": b"new"})
        equal((tree(vol), content(vol, "a")), (["a"], b"old"))
        put(vol, {"new": b"new", "a": b"new"}, force=True)
        equal((tree(vol), content(vol, "a")), (["a", "new"], b"new"))



@story()
def large():
    """Files of several blocks come back as they were, with holes and zeros at their ends."""
    for vol, version in of_both_versions():
        big = bytearray(os.urandom(BLOCK) + bytes(BLOCK + 5) + os.urandom(100) + bytes(1000))
        put(vol, {"big": bytes(big), "zeros": bytes(BLOCK + 1), "small": b"x" + bytes(10)})
        assert content(vol, "big") == bytes(big)
        equal(content(vol, "zeros"), bytes(BLOCK + 1))
        equal(content(vol, "small"), b"x" + bytes(10))
        into = io.BytesIO()
        equal(vol.read_file_into_fileobj("big", into), len(big))
        assert into.getvalue() == bytes(big)
        # A byte in the middle changes, and nothing is sent twice.
        big[BLOCK + 7] = 1
        put(vol, {"big": bytes(big)}, force=True)
        assert content(vol, "big") == bytes(big)



@app.local_entrypoint()
def main():
    tell()
