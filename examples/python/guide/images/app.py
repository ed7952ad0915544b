"""The guide's "Container Images", each snippet an image, with small packages in the place of large ones."""

import pathlib

import modal

app = modal.App("images")
here = pathlib.Path(__file__).parent

packages = modal.Image.debian_slim(python_version="3.11").uv_pip_install("six==1.16.0", "iniconfig")

system = modal.Image.debian_slim().apt_install("git", "curl", "file", "build-essential")

environment = modal.Image.debian_slim().env({"PORT": "6443", "MODEL_PATH": "/models"})

commands = modal.Image.debian_slim().run_commands(
    "mkdir /repo && printf 'install:\\n\\techo installed > /installed\\n' > /repo/Makefile",
    "apt-get update && apt-get install -y make",
    "cd /repo && make install",
)

local_files = (
    modal.Image.debian_slim()
    .add_local_dir(here / "src", remote_path="/app/src")
    .add_local_file(here / "config.yaml", remote_path="/app/config.yaml")
)

complex_image = (
    modal.Image.debian_slim(python_version="3.11")
    .apt_install("git", "file")
    .uv_pip_install("six==1.16.0", "iniconfig")
    .env({"HF_HOME": "/cache"})
    .run_commands("mkdir -p /cache")
    .add_local_dir(here / "models", remote_path="/models")
)


@app.function(image=packages)
def my_function():
    import six

    return six.__version__


@app.function(image=system)
def programs():
    import shutil

    return all(shutil.which(name) for name in ("git", "curl", "file", "gcc"))


@app.function(image=environment)
def variables():
    import os

    return os.environ["PORT"], os.environ["MODEL_PATH"]


@app.function(image=commands)
def installed():
    return pathlib.Path("/installed").read_text().strip()


@app.function(image=local_files)
def files():
    return sorted(str(path) for path in pathlib.Path("/app").rglob("*") if path.is_file())


@app.function(image=complex_image)
def all_together():
    import os

    import six

    return six.__version__, os.path.isdir(os.environ["HF_HOME"]), os.listdir("/models")


@app.local_entrypoint()
def main():
    print("packages:", my_function.remote())
    print("programs:", programs.remote())
    print("variables:", *variables.remote())
    print("commands:", installed.remote())
    print("files:", *files.remote())
    print("all together:", *all_together.remote())
