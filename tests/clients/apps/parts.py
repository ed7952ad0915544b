"""An app of several functions, which share a module beside this file and call each other."""

import companion
import modal

image = modal.Image.debian_slim().add_local_python_source("companion")
app = modal.App("parts", image=image)


@app.function()
def shout(text: str) -> str:
    return companion.louder(text)


@app.function()
def count(text: str) -> int:
    return len(text)


@app.function()
def both(text: str):
    return shout.remote(text), count.remote(text), shout.local(text)


@app.function()
def greet(name: str, times: int = 1):
    print(" ".join([f"Hello {name}!"] * times))


@app.local_entrypoint()
def main(text: str = "quiet"):
    print(shout.local(text), shout.remote(text), count.remote(text), both.remote(text))
