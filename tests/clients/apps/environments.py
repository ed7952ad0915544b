"""Images where functions are processes of the host: packages, files, variables, a working directory."""

import os
import sys

import modal

app = modal.App("environments")
base = modal.Image.debian_slim(python_version=f"{sys.version_info.major}.{sys.version_info.minor}")
image = (
    base.pip_install("six==1.16.0")
    .env({"GREETING": "hello"})
    .add_local_file(__file__, "/root/work/given.py", copy=True)
    .workdir("/root/work")
)
child = image.uv_pip_install("toolz==1.0.0") if hasattr(modal.Image, "uv_pip_install") else image.pip_install("toolz==1.0.0")


@app.function(image=image)
def first():
    import six

    given = open("given.py").readline().strip()
    return six.__version__, os.environ["GREETING"], given, sys.prefix != sys.base_prefix


@app.function(image=child)
def second():
    import six
    import toolz

    return six.__version__, toolz.__version__, os.path.exists("/root/work") or os.getcwd().endswith("/work")


@app.function(image=base)
def plain():
    try:
        import toolz  # noqa: F401
    except ImportError:
        return sys.prefix == sys.base_prefix


@app.local_entrypoint()
def main():
    print(first.remote(), second.remote(), plain.remote())


refused = modal.App("refused")


@refused.function(image=image.apt_install("curl"))
def never():
    pass


@refused.local_entrypoint()
def apt():
    never.remote()


elsewhere = modal.App("elsewhere")


@elsewhere.function(image=base.add_local_file(__file__, "/data/given.py", copy=True))
def nowhere():
    pass


@elsewhere.local_entrypoint()
def data():
    nowhere.remote()
