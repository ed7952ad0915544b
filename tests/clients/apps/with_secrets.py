"""Secrets: how they are made, what containers get of them, and what happens when they are not there."""

import os
import re

import modal
from story import equal, raises, story, tell, until

app = modal.App("with_secrets", image=modal.Image.debian_slim().add_local_python_source("story"))

# Several clients tell these stories to one platform.
mine = re.sub(r"\W", "-", modal.__version__)
named = f"named-{mine}"
changing = f"changing-{mine}"
if modal.is_local():
    for name in (named, changing):
        modal.Secret.objects.create(name, {"NAMED": "by name", "BOTH": "named"}, allow_existing=True)
    os.environ["FROM_HERE"] = "local"


def environ(*names):
    return [os.environ.get(name) for name in names]


@app.function(
    secrets=[
        modal.Secret.from_dict({"ONE": "1", "BOTH": "first", "NOTHING": None}),
        modal.Secret.from_name(named, required_keys=["NAMED"]),
        modal.Secret.from_dict({"TWO": "2\nlines and \"quotes\"", "LAST": ""}),
    ]
)
def several(*names):
    return environ(*names)


@app.function(secrets=[modal.Secret.from_local_environ(["FROM_HERE"]), modal.Secret.from_dict({"HOME": "/tmp"})])
def local(*names):
    return environ(*names)


@app.function(
    secrets=[
        modal.Secret.from_dict(
            {
                "MODAL_SERVER_URL": "http://127.0.0.1:1",
                "MODAL_TASK_ID": "ta-other",
                "MODAL_IS_REMOTE": "",
                "MODAL_CONTAINER_ARGUMENTS_PATH": "/nowhere",
                "PYTHONPATH": "/also/here",
                "OMP_NUM_THREADS": "7",
            }
        )
    ],
    cpu=0.5,
)
def reserved():
    import story

    return environ("MODAL_TASK_ID", "PYTHONPATH", "OMP_NUM_THREADS"), story.__name__


once = "single_use_containers" if not modal.__version__.startswith("1.3.") else "max_inputs"


@app.function(secrets=[modal.Secret.from_name(changing)], **{once: 1})
def each_time(*names):
    return environ(*names)


@app.cls(secrets=[modal.Secret.from_dict({"ONE": "1", "OWN": "class"})])
class Holder:
    @modal.enter()
    def enter(self):
        self.entered = environ("OWN")

    @modal.method()
    def see(self, *names):
        return self.entered + environ(*names)


@app.function()
def inside():
    """The clients' own calls, from a container."""
    secret = modal.Secret.from_name(named)
    secret.hydrate()
    listed = [each.name for each in modal.Secret.objects.list()]
    other = Holder.with_options(secrets=[modal.Secret.from_dict({"ONE": "inside"})])().see.remote("ONE")
    return secret.info().name, named in listed, other


@app.function()
def without():
    return os.environ["NAMED"]


@story()
def variables():
    """A container has the variables of all its secrets, the last one's where several have one."""
    equal(several.remote("ONE", "BOTH", "NAMED", "TWO", "LAST", "NOTHING"), ["1", "named", "by name", '2\nlines and "quotes"', "", None])


@story()
def from_local_environ():
    """A secret has variables of the local environment, and a missing one is told of."""
    equal(local.remote("FROM_HERE", "HOME"), ["local", "/tmp"])
    with raises(modal.exception.InvalidError, "NOT_THERE"):
        modal.Secret.from_local_environ(["NOT_THERE"])


@story()
def from_dotenv():
    """A secret has what a .env file says."""
    inner = modal.App("inner")
    dotenv = modal.Secret.from_dotenv(os.environ["DOTENV_FOLDER"], filename=".env-test")

    @inner.function(serialized=True, secrets=[dotenv])
    def see():
        import os

        return os.environ["FROM_FILE"], os.environ["QUOTED"]

    with inner.run():
        equal(see.remote(), ("a file", "two words"))


@story()
def reserved_names():
    """No secret cuts a container off from the platform."""
    (task, path, threads), name = reserved.remote()
    assert task.startswith("ta-") and task != "ta-other", task
    assert path.endswith(":/also/here"), path
    equal((threads, name), ("7", "story"))


@story()
def classes():
    """Classes have secrets, from their hooks on, and `with_options` puts others in their place."""
    equal(Holder().see.remote("ONE"), ["class", "1"])
    other = Holder.with_options(secrets=[modal.Secret.from_dict({"OWN": "variant"}), modal.Secret.from_name(named)])
    equal(other().see.remote("NAMED"), ["variant", "by name"])


@story()
def updated():
    """What is updated is there in the containers that start afterwards."""
    equal(each_time.remote("NAMED", "ADDED"), ["by name", None])
    secret = modal.Secret.from_name(changing)
    secret.hydrate()
    secret.update({"NAMED": "changed", "ADDED": "new"})
    equal(each_time.remote("NAMED", "ADDED", "BOTH"), ["changed", "new", "named"])
    modal.Secret.from_name(changing, required_keys=["ADDED", "BOTH"]).hydrate()


@story()
def last_used():
    """A secret tells when it was last used."""
    several.remote("ONE")
    if hasattr(modal.Secret.from_name(named).info(), "last_used"):
        until(lambda: modal.Secret.from_name(named).info().last_used)
        equal(modal.Secret.from_name(named).info().environment_name, "main")


@story()
def objects():
    """Secrets are made, listed and deleted from code."""
    name = f"object-{mine}"
    objects = modal.Secret.objects
    objects.create(name, {"A": "1"})
    with raises(modal.exception.AlreadyExistsError, "exists already"):
        objects.create(name, {"A": "2"})
    objects.create(name, {"A": "2"}, allow_existing=True)
    info = modal.Secret.from_name(name).info()
    equal(info.name, name)
    assert info.created_by and info.created_at.timestamp() > 1e9, info
    found = [each for each in objects.list(max_objects=100) if each.name == name]
    equal([each.object_id for each in found], [modal.Secret.from_name(name).hydrate().object_id])
    equal(objects.list(created_before="2001-01-01"), [])
    equal(len(objects.list(max_objects=1)), 1)
    objects.delete(name)
    with raises(modal.exception.NotFoundError, f'"{name}" does not exist in environment "main"'):
        objects.delete(name)
    objects.delete(name, allow_missing=True)
    with raises(modal.exception.NotFoundError, 'Environment "nowhere"'):
        modal.Secret.from_name(named, environment_name="nowhere").hydrate()
    with raises(modal.exception.InvalidError):
        objects.create("no name", {"A": "1"})
    with raises(modal.exception.InvalidError, '"NO-KEY" cannot be a secret\'s key'):
        objects.create(name, {"NO-KEY": "1"})


@story()
def required_keys():
    """A key that is required and not there is named."""
    with raises(modal.exception.Error, r"Secret is missing key\(s\): OTHER, THIRD") as caught:
        modal.Secret.from_name(named, required_keys=["NAMED", "OTHER", "THIRD"]).hydrate()
    equal(type(caught[0]), modal.exception.ConflictError)


@story()
def not_injected():
    """A function that does not name a secret has nothing of it."""
    with raises(KeyError, "NAMED"):
        without.remote()


@story()
def from_inside():
    """Functions look secrets up, and run others with secrets."""
    equal(inside.remote(), (named, True, [None, "inside"]))


@story()
def not_there():
    """A run with a secret that does not exist ends with its name, and how to make it."""
    inner = modal.App("inner", secrets=[modal.Secret.from_name("not-there")])
    inner.function(serialized=True)(lambda: None)
    with raises(modal.exception.NotFoundError, '(?s)"not-there" does not exist.*modal secret create not-there'):
        inner.run().__enter__()


@story()
def deleted():
    """A secret that is deleted meanwhile fails the calls with its name, in runs and deployments, until it is there again."""
    name = f"deleted-{mine}"

    def begin():
        modal.Secret.objects.create(name, {"A": "1"}, allow_existing=True)
        inner = modal.App(name)

        @inner.function(serialized=True, name="see", secrets=[modal.Secret.from_name(name)], **{once: 1})
        def see():
            import os

            return os.environ["A"]

        return inner, see

    inner, see = begin()
    with inner.run():
        equal(see.remote(), "1")
        modal.Secret.objects.delete(name)
        for _ in range(2):
            with raises(modal.exception.Error, f'could not be started. Secret "{name}" was deleted.*modal secret create {name}'):
                see.remote()
    inner, _ = begin()
    inner.deploy()
    see = modal.Function.from_name(name, "see")
    equal(see.remote(), "1")
    modal.Secret.objects.delete(name)
    for _ in range(2):
        with raises(modal.exception.Error, f'Secret "{name}" was deleted'):
            see.remote()
    inner, _ = begin()
    inner.deploy()
    equal(see.remote(), "1")


@app.local_entrypoint()
def main():
    tell()
