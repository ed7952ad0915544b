"""Python runs this in a container before anything else; it lies beside the client, which is as it was published.

It puts the client's dependencies last on the path. The first collection of garbage comes when there are more objects than the
client's own, which all stay: looking through them again and again takes an eighth of its import. And the client gets what its
guide names and no version of it has: `modal.debug()`.
"""

import gc
import importlib.abc
import importlib.util
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "__modal", "deps"))

usual = gc.get_threshold()
patient = (100_000, *usual[1:])


def first_collection(_phase, _info):
    gc.callbacks.remove(first_collection)
    if gc.get_threshold() == patient:
        gc.set_threshold(*usual)


gc.callbacks.append(first_collection)
gc.set_threshold(*patient)


def debug():
    """Under `modal run -i` a debugger's prompt at the line after this call; elsewhere a word, and the function goes on."""
    import modal

    if sys.stdin is None or not sys.stdin.isatty():
        message = "modal.debug() has nobody to ask: use `modal run -i` to stop here."
        print(message, file=sys.stderr, flush=True)
        return
    modal.interact()
    import pdb

    pdb.Pdb().set_trace(sys._getframe(1))


class Addition(importlib.abc.MetaPathFinder):
    """Finds the client as others do, and adds to it when it has been loaded."""

    def find_spec(self, name, path, target=None):
        if name != "modal":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            load = spec.loader.exec_module

            def load_and_add(module):
                load(module)
                if not hasattr(module, "debug"):
                    module.debug = debug

            spec.loader.exec_module = load_and_add
        return spec


sys.meta_path.insert(0, Addition())
