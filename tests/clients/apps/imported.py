"""An image that is nowhere but in a file which was imported."""

import modal

app = modal.App("imported")


@app.local_entrypoint()
def main():
    modal.Image.from_registry("team/from-file:1").build(app)
    print("it is made")
