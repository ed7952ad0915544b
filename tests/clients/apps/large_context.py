"""An image with one large file, sparse on this side and copied whole."""

import os
import pathlib

import modal

app = modal.App("large-context")
size = int(os.environ["CONTEXT_BYTES"])


@app.local_entrypoint()
def main():
    file = pathlib.Path(os.environ["CONTEXT_FOLDER"], "large")
    with file.open("wb") as to:
        for at in range(0, size, 1 << 30):  # else one hole is like another
            to.seek(at)
            to.write(f"from {at}".encode())
        to.truncate(size - 3)
        to.seek(size - 3)
        to.write(b"end")
    image = modal.Image.debian_slim(python_version="3.11").add_local_file(file, "/large", copy=True)
    image.run_commands(f"test $(stat -c %s /large) = {size}", "test $(tail -c 3 /large) = end").build(app)
    print("it is made")
