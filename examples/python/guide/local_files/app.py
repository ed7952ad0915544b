"""Files beside the app travel with it: `modal run examples/python/guide/local_files/app.py`."""

from pathlib import Path

import modal

here = Path(__file__).parent
image = (
    modal.Image.debian_slim()
    .add_local_dir(here / "src", remote_path="/app/src")
    .add_local_file(here / "config.yaml", remote_path="/app/config.yaml")
)
app = modal.App("my-app", image=image)


@app.function()
def shows():
    print(Path("/app/src/greeting.txt").read_text().strip())
    print(Path("/app/config.yaml").read_text().strip())


@app.local_entrypoint()
def main():
    shows.remote()
