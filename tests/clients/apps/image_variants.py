"""The default image with each of the Pythons MINORS: made, or refused in words."""

import os
import re

import modal

app = modal.App("image-variants")
minors = os.environ.get("MINORS", "").split()


def variant(minor):
    command = f"python --version | grep '^Python {minor}' && python -c 'import ssl, sqlite3, ctypes'"
    return modal.Image.debian_slim(python_version=minor).run_commands(command)


@app.local_entrypoint()
def main():
    made = []
    for minor in minors:
        try:
            variant(minor).build(app)
            made.append(minor)
        except Exception as error:
            says = " ".join(str(error).split())
            assert re.search(rf"there is no image .*python:{re.escape(minor)}|no Python {re.escape(minor)} on this host", says), says
            print(f"refused {minor}: {says}")
    print("made", *made)
