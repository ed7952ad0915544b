"""Imports a neighbour of its own package."""

import modal

from . import words

app = modal.App("packaged")


@app.function()
def join(*parts: str) -> str:
    return words.separator.join(parts)


@app.local_entrypoint()
def main():
    print(join.remote("one", "two"))
