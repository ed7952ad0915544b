"""Volumes: what the SDK does with them from outside, and what containers see of them."""

import io
import os
import pathlib
import re
import shutil
import signal
import tempfile
import time

import modal
from story import equal, raises, sign, signs, story, tell, until

app = modal.App("volumes", image=modal.Image.debian_slim().add_local_python_source("story"))
app.include(signs)

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



# --- In containers. What each is told to do is a list of steps; what they find comes back.

# Each story has volumes of its own, of both versions, and all containers mount all of them.
places = [f"{story_name}{version}" for story_name in ("states", "together", "kinds", "names", "open", "unasked", "options") for version in (1, 2)]
volume_names = {place: f"{place}-{mine}" for place in places}
if modal.is_local():
    for name in volume_names.values():
        modal.Volume.objects.delete(name, allow_missing=True)
volumes = {
    place: modal.Volume.from_name(name, create_if_missing=True, version=int(place[-1]))
    for place, name in volume_names.items()
}
mounts = {f"/{place}": vol for place, vol in volumes.items()}
held = []


def hold(path):
    held.append(open(path))


def drop():
    held.pop().close()


def spread(path, count):
    os.makedirs(path)
    for i in range(count):
        pathlib.Path(path, str(i)).write_text(str(i))


steps = {
    "write": lambda path, text: bool(os.makedirs(os.path.dirname(path), exist_ok=True)) or pathlib.Path(os.fsdecode(path)).write_text(text),
    "append": lambda path, text: open(path, "a").write(text),
    "read": lambda path: pathlib.Path(os.fsdecode(path)).read_text(),
    "tree": lambda path: sorted(os.path.relpath(os.path.join(at, name), path) for at, _, names in os.walk(path) for name in names),
    "names": os.listdir,
    "exists": os.path.exists,
    "mode": lambda path: os.stat(path).st_mode & 0o7777,
    "chmod": os.chmod,
    "link": os.symlink,
    "target": os.readlink,
    "remove": os.remove,
    "rmtree": shutil.rmtree,
    "rename": os.rename,
    "hold": hold,
    "drop": drop,
    "spread": spread,
    "listdir": lambda place: [entry.path for entry in volumes[place].listdir("/")],
    "commit": lambda place: volumes[place].commit(),
    "reload": lambda place: volumes[place].reload(),
}


def take(wanted):
    return [steps[name](*arguments) for name, *arguments in wanted]


@app.function(volumes=mounts, max_containers=1)
def one(wanted):
    return take(wanted)


@app.function(volumes=mounts, max_containers=1)
def two(wanted):
    return take(wanted)


has_options = hasattr(modal.Volume, "with_mount_options")


@app.function(
    volumes={
        "/read": volumes["options1"].with_mount_options(read_only=True) if has_options else volumes["options1"].read_only(),
        **({"/part": volumes["options2"].with_mount_options(sub_path="part/deep")} if has_options else {}),
    }
)
def three(wanted):
    return take(wanted)


@app.function(volumes=mounts)
def dies(path):
    """Its container is killed as soon as it has written."""
    if os.path.exists(path):
        return "it was there"
    take([("write", path, "x")])
    os.kill(os.getpid(), signal.SIGKILL)


@app.function(volumes=mounts)
def waits(path, sign_name):
    take([("write", path, "x")])
    sign.remote(sign_name, give=True)
    time.sleep(600)


def first(wanted):
    return one.remote([wanted])[0]


def second(wanted):
    return two.remote([wanted])[0]


def both_of(name):
    for place in (f"{name}1", f"{name}2"):
        yield place, f"/{place}", volumes[place]


@story()
def states():
    """A container sees the state of its start or last reload and its own writes; others see them after commit and reload."""
    for place, at, vol in both_of("states"):
        put(vol, {"given": b"outside"})
        first(("reload", place))
        equal(first(("read", f"{at}/given")), "outside")
        second(("reload", place))
        one.remote([("write", f"{at}/deep/er/new", "mine"), ("write", f"{at}/given", "changed"), ("commit", place)])
        equal(first(("tree", at)), ["deep/er/new", "given"])
        equal(second(("tree", at)), ["given"])
        equal(second(("read", f"{at}/given")), "outside")
        equal(content(vol, "given") + content(vol, "deep/er/new"), b"changedmine")
        second(("reload", place))
        equal(two.remote([("tree", at), ("read", f"{at}/given")]), [["deep/er/new", "given"], "changed"])
        # What was removed and renamed is so for others, too; a folder of an earlier state can be renamed.
        two.remote([("remove", f"{at}/given"), ("rename", f"{at}/deep", f"{at}/other"), ("commit", place)])
        equal(tree(vol), ["other/", "other/er/", "other/er/new"])
        first(("reload", place))
        equal(first(("tree", at)), ["other/er/new"])


@story()
def together():
    """Of two that change a volume at a time, the last to commit wins, file by file."""
    for place, at, vol in both_of("together"):
        one.remote([("write", f"{at}/in/both", "base"), ("write", f"{at}/in/gone", "base"), ("commit", place)])
        second(("reload", place))
        two.remote([("write", f"{at}/in/both", "two"), ("write", f"{at}/in/two", "2"), ("remove", f"{at}/in/gone"), ("commit", place)])
        one.remote([("write", f"{at}/in/both", "one"), ("write", f"{at}/in/one", "1"), ("commit", place)])
        equal(tree(vol), ["in/", "in/both", "in/one", "in/two"])
        equal(content(vol, "in/both"), b"one")
        # A folder that is removed takes nothing with it that its remover has not seen.
        one.remote([("rmtree", f"{at}/in"), ("commit", place)])
        equal(tree(vol), ["in/", "in/two"])
        second(("reload", place))
        equal(second(("tree", at)), ["in/two"])


@story()
def kinds():
    """Modes and links are kept, and hundreds of files are committed together."""
    at = "/kinds2"
    one.remote([("write", f"{at}/run", "#!"), ("chmod", f"{at}/run", 0o750), ("link", "run", f"{at}/link")])
    one.remote([("spread", f"{at}/many", 300), ("commit", "kinds2")])
    second(("reload", "kinds2"))
    equal(two.remote([("mode", f"{at}/run"), ("target", f"{at}/link"), ("read", f"{at}/link")]), [0o750, "run", "#!"])
    equal(second(("read", f"{at}/many/299")), "299")
    equal([entry.type for entry in volumes["kinds2"].listdir("link")], [3])
    # Containers can ask for what is there as everybody can.
    equal(sorted(second(("listdir", "kinds2"))), ["link", "many", "run"])


@story()
def names_of_bytes():
    """Names are kept byte by byte; from outside a byte that is no text shows as a character that stands for it."""
    at, vol = b"/names2/in", volumes["names2"]
    names = [b"\xff\xfe", b"caf\xe9", "caf\u00e9".encode(), b"new\nline", b"-r"]
    one.remote([("write", at + b"/" + name, repr(name)) for name in names])
    first(("commit", "names2"))
    second(("reload", "names2"))
    equal(sorted(second(("names", at))), sorted(names))
    equal(two.remote([("read", at + b"/" + name) for name in names]), [repr(name) for name in names])
    shown = [entry.path for entry in vol.listdir("in")]
    equal(sorted(content(vol, path) for path in shown), sorted(repr(name).encode() for name in names))
    vol.copy_files(["in/caf\U0010fee9"], "in/copied \U0010fee9")
    vol.remove_file("in/caf\U0010fee9")
    second(("reload", "names2"))
    equal(sorted(second(("names", at))), sorted([b"copied \xe9", *names[:1], *names[2:]]))


@story()
def open_files():
    """A reload with open files fails and names one; a commit does not mind them."""
    at, vol = "/open1", volumes["open1"]
    one.remote([("write", f"{at}/log", "1"), ("commit", "open1"), ("hold", f"{at}/log"), ("append", f"{at}/log", "2")])
    first(("commit", "open1"))
    equal(content(vol, "log"), b"12")
    with raises(RuntimeError, "there are open files preventing the operation: .*open1/log"):
        first(("reload", "open1"))  # also with nothing new to show
    put(vol, {"other": b"x"})
    with raises(RuntimeError, "there are open files preventing the operation: .*open1/log"):
        first(("reload", "open1"))
    equal(first(("read", f"{at}/log")), "12")
    one.remote([("drop",), ("reload", "open1")])
    equal(first(("read", f"{at}/other")), "x")


@story()
def options():
    """A volume can be mounted read-only, and a folder of it alone."""
    put(volumes["options1"], {"whole": b"outer"})
    put(volumes["options2"], {"part/deep/in": b"inner", "part/out": b""})
    equal(three.remote([("read", "/read/whole")]), ["outer"])
    with raises(OSError, "Read-only"):
        three.remote([("write", "/read/x", "x")])
    if has_options:
        equal(three.remote([("tree", "/part"), ("write", "/part/new", "x"), ("commit", "options2")])[0], ["in"])
        equal(content(volumes["options2"], "part/deep/new"), b"x")


@story()
def unasked():
    """What a container has written is committed without being asked for: now and then, and at its end however that comes."""
    at, vol = "/unasked2", volumes["unasked2"]
    first(("write", f"{at}/soon", "x"))
    until(lambda: content_or_none(vol, "soon") == b"x", 30)
    equal(dies.remote(f"{at}/dead"), "it was there")
    call = waits.spawn(f"{at}/cancelled", sign_name := f"cancelled-{mine}")
    sign.remote(sign_name)
    call.cancel(terminate_containers=True)
    until(lambda: content_or_none(vol, "cancelled") == b"x", 30)


def content_or_none(vol, path):
    try:
        return content(vol, path)
    except FileNotFoundError:
        return None


@app.local_entrypoint()
def main():
    tell()
