"""Imports a module with a syntax error, in the container only."""

import modal

image = modal.Image.debian_slim().add_local_python_source("half_written")
app = modal.App("broken-syntax", image=image)

if not modal.is_local():
    import half_written  # noqa: F401


@app.function()
def work():
    return 1


@app.local_entrypoint()
def main():
    work.remote()
