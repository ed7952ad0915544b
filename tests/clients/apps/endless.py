"""An image with a step that never ends."""

import modal
from story import raises

app = modal.App("endless")
BuildError = modal.exception.RemoteError if modal.__version__.startswith("1.3.") else modal.exception.ImageBuildError


@app.local_entrypoint()
def main():
    step = "RUN echo it begins; exec sleep 31415"
    with raises(BuildError, r"timed out"):
        modal.Image.from_registry("debian:bookworm-slim", setup_dockerfile_commands=[step], force_build=True).build(app)
    print("it was given up")
