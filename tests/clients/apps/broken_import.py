"""Imports a module that is not there, in the container only."""

import modal

app = modal.App("broken-import")

if not modal.is_local():
    import a_module_that_is_not_there  # noqa: F401


@app.function()
def work():
    return 1


@app.local_entrypoint()
def main():
    work.remote()
