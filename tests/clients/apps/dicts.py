"""Dicts: what the clients do with them, here and in containers."""

import asyncio
import re

import modal
from story import equal, raises, story

app = modal.App("dicts", image=modal.Image.debian_slim().add_local_python_source("story"))

# Several clients tell these stories to one platform.
mine = re.sub(r"\W", "-", modal.__version__)
shared = modal.Dict.from_name(f"shared-{mine}", create_if_missing=True)


@app.function()
def work(given: modal.Dict, dict_id: str, key: str):
    """Uses a dict that it was given, one by its id, and one of the module."""
    given[key] = {"from": "container"}
    shared.put(key, [given.get("here"), modal.Dict.from_id(dict_id)["here"]])
    with modal.Dict.ephemeral() as own:
        own["inside"] = key
        return given.pop("here"), own.len(), shared.contains(key), sorted(shared.keys())


@app.function(restrict_modal_access=True)
def confined():
    try:
        shared["confined"] = 1
    except modal.exception.Error as error:
        return type(error).__name__
    return "reached"


@story()
def entries():
    """Entries are set, read, taken and counted, by methods and by operators."""
    with modal.Dict.ephemeral() as d:
        equal(d.put("a", 1), True)
        d[("a", 2)] = [None, {"deep": b"\x00\xff"}]
        d.update({3: "three"}, four=4.0)
        equal([d["a"], d[("a", 2)], d.get(3), d.get("four"), d.get("x"), d.get("x", 5)], [1, [None, {"deep": b"\x00\xff"}], "three", 4.0, None, 5])
        equal([d.contains("a"), "a" in d, d.contains("x"), "x" in d, d.len()], [True, True, False, False, 4])
        d["a"] = "another"
        equal([d.pop("a"), d.pop("a", 7), d.len()], ["another", 7, 3])
        del d[3]
        for missing in (lambda: d["a"], lambda: d.pop("a"), lambda: d.__delitem__(3)):
            with raises(KeyError, "not in dict"):
                missing()
        equal(sorted(map(str, d.keys())), ["('a', 2)", "four"])
        equal(sorted(map(str, d.values())), ["4.0", "[None, {'deep': b'\\x00\\xff'}]"])
        equal(dict(d.items()), {("a", 2): [None, {"deep": b"\x00\xff"}], "four": 4.0})
        d.clear()
        equal([d.len(), list(d.items())], [0, []])
        d["a"] = 1
        equal(d.len(), 1)


@story()
def skip_if_exists():
    """What is there is kept by `skip_if_exists`."""
    with modal.Dict.ephemeral() as d:
        equal([d.put("a", 1, skip_if_exists=True), d.put("a", 2, skip_if_exists=True), d["a"]], [True, False, 1])
        equal([d.put("a", 3), d["a"]], [True, 3])


@story()
def many():
    """Thousands of entries and large ones are walked through, and cleared."""
    with modal.Dict.ephemeral() as d:
        d.update({number: number * number for number in range(2500)})
        large = {f"large {number}": bytes([number]) * 1_500_000 for number in range(4)}
        for key, value in large.items():
            d[key] = value
        equal(d.len(), 2504)
        found = dict(d.items())
        equal({key: found.pop(key) for key in large} == large, True)
        equal(found, {number: number * number for number in range(2500)})
        equal(len(set(d.keys())), 2504)
        equal(len(list(d.values())), 2504)
        d.clear()
        equal(d.len(), 0)


@story()
def too_large():
    """An entry that is too large is refused by the client's own error, and nothing of it is set."""
    with modal.Dict.ephemeral() as d:
        with raises(modal.exception.RequestSizeError, "Dict.put request is too large"):
            d["large"] = bytes(3_000_000)
        with raises(modal.exception.RequestSizeError, "Dict.update request is too large"):
            d.update({"small": 1, "large": bytes(3_000_000)})
        equal(d.len(), 0)


@story()
def asynchronous():
    """Methods of dicts also work in async code, many at a time."""

    async def use():
        async with modal.Dict.ephemeral() as d:
            await asyncio.gather(*(d.put.aio(number, -number) for number in range(100)))
            equal(await d.len.aio(), 100)
            equal(await asyncio.gather(*(d.get.aio(number) for number in range(100))), [-number for number in range(100)])
            equal(sum([key async for key in d.keys.aio()]), 4950)
            popped = await asyncio.gather(*(d.pop.aio(7, None) for _ in range(5)))
            equal(sorted(popped, key=str), [-7, None, None, None, None])
            equal([await d.contains.aio(7), await d.contains.aio(8)], [False, True])

    asyncio.run(use())


@story()
def in_containers():
    """Containers use dicts by their names, their ids, and as arguments."""
    with modal.Dict.ephemeral() as d:
        d["here"] = 1
        shared.put("key", "old")
        equal(work.remote(d, d.object_id, "key"), (1, 1, True, ["key"]))
        equal([d["key"], shared["key"], d.contains("here")], [{"from": "container"}, [1, 1], False])


@story()
def restricted():
    """A function that may not use the platform may use no dict."""
    assert confined.remote() != "reached"
    equal(shared.contains("confined"), False)


@story()
def names():
    """Dicts are made, found, listed, described and deleted by their names."""
    name = f"named-{mine}"
    with raises(modal.exception.NotFoundError, f'Dict "{name}" does not exist in environment "main"'):
        modal.Dict.from_name(name).get("a")
    modal.Dict.objects.create(name)
    with raises(modal.exception.AlreadyExistsError, "exists already"):
        modal.Dict.objects.create(name)
    modal.Dict.objects.create(name, allow_existing=True)
    d = modal.Dict.from_name(name, create_if_missing=True)
    d["a"] = 1
    info = d.info()
    equal([d.name, info.name, bool(info.created_by)], [name, name, True])
    modal.Dict.objects.create(f"{name}-newer")
    listed = [each.name for each in modal.Dict.objects.list() if each.name.startswith(name)]
    equal(listed, [f"{name}-newer", name])
    equal([each.name for each in modal.Dict.objects.list(max_objects=1, created_before=info.created_at)].count(name), 0)
    modal.Dict.objects.delete(name)
    modal.Dict.objects.delete(f"{name}-newer")
    with raises(modal.exception.NotFoundError, "does not exist"):
        d["a"]
    with raises(modal.exception.NotFoundError, "does not exist"):
        modal.Dict.objects.delete(name)
    modal.Dict.objects.delete(name, allow_missing=True)
    again = modal.Dict.from_name(name, create_if_missing=True)
    equal(again.len(), 0)
    with raises(modal.exception.NotFoundError, "Environment .nowhere. does not exist"):
        modal.Dict.objects.list(environment_name="nowhere")


@story(only=r"1\.3\.")
def with_data():
    """The oldest client gives a new dict what it begins with."""
    name = f"data-{mine}"
    equal(modal.Dict.from_name(name, {"a": 1}, create_if_missing=True)["a"], 1)
    equal(modal.Dict.from_name(name, {"a": 2}, create_if_missing=True)["a"], 1)
    with modal.Dict.ephemeral({"b": 3}) as d:
        equal(dict(d.items()), {"b": 3})
