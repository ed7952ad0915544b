"""The guide's first trouble: a package that the image lacks, and how it is mended."""

import modal

app = modal.App("missing-package")
image = modal.Image.debian_slim().uv_pip_install("iniconfig==2.0.0")


@app.function()
def without():
    import iniconfig

    return iniconfig.__version__


@app.function(image=image)
def with_it():
    from importlib.metadata import version

    return version("iniconfig")


@app.local_entrypoint()
def main():
    try:
        without.remote()
    except ModuleNotFoundError as error:
        print(f"Without the package: {error}")
    print(f"With it: {with_it.remote()}")
