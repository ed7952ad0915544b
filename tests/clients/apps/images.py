"""Images: every way to make one, looked at by a function that runs in it."""

import os
import pathlib
import re

import modal
from story import equal, raises, story, tell

app = modal.App("images")
here = pathlib.Path(__file__).parent
built = here / "built"
mine = re.sub(r"\W", "-", modal.__version__)

slim = modal.Image.debian_slim(python_version="3.11")
BuildError = modal.exception.RemoteError if mine.startswith("1-3") else modal.exception.ImageBuildError


def looks(name, image):
    """A function in the image, that evaluates what a story asks."""

    def look(expression):
        import os
        import pathlib
        import shutil
        import sys
        from importlib.metadata import version

        def read(path):
            return pathlib.Path(path).read_text()

        def writing(path):
            try:
                pathlib.Path(path).open("a").close()
            except OSError as error:
                return error.strerror

        return eval(expression, dict(os=os, read=read, sys=sys, version=version, which=shutil.which, writing=writing))

    return app.function(image=image.add_local_python_source("story"), serialized=True, name=name)(look)


packages = looks(
    "packages",
    slim.pip_install("six==1.16.0", "iniconfig")
    .pip_install_from_requirements(str(built / "requirements.txt"))
    .pip_install_from_pyproject(str(built / "project/pyproject.toml"), optional_dependencies=["more"])
)


@story()
def packages_by_pip():
    """pip_install, from a list, a file of requirements and a project"""
    equal(packages.remote("version('six'), version('iniconfig')"), ("1.17.0", "2.0.0"))


by_uv = looks("by_uv", slim.uv_pip_install("six==1.16.0"))


@story()
def packages_by_uv():
    """uv_pip_install brings uv and installs with it"""
    equal(by_uv.remote("version('six')"), "1.16.0")


synced = looks("synced", slim.uv_sync(str(built / "project"), extras=["more"], frozen=False))


@story()
def project_by_uv():
    """uv_sync installs a project's packages, and its Python is the container's"""
    equal(synced.remote("version('iniconfig'), version('six')"), ("2.0.0", "1.17.0"))


def has(package, number):
    return f"python -c \"from importlib.metadata import version as v; assert v('{package}') == '{number}'\""


@story()
def project_by_poetry():
    """poetry_install_from_file installs what a project has locked"""
    slim.poetry_install_from_file(str(built / "poetry/pyproject.toml")).run_commands(has("iniconfig", "2.0.0")).build(app)


@story()
def private_repositories():
    """pip_install_private_repos installs with the token of a secret, and says when it has none"""
    # What it asks of the public host is answered by a repository in the image: for who has the token, and nobody else.
    repository = slim.apt_install("git").add_local_dir(built / "project", "/srv/them/private", copy=True)
    answered = repository.run_commands(
        "cd /srv/them/private && git init -q && git add ."
        " && git -c user.name=me -c user.email=me@here commit -qm first"
        " && git config --system url.file:///srv/.insteadOf https://me:t0ken@github.com/",
    )

    def install(**variables):
        secrets = [modal.Secret.from_dict(variables)]
        return answered.pip_install_private_repos("github.com/them/private", git_user="me", secrets=secrets)

    install(GITHUB_TOKEN="t0ken").run_commands(has("built", "0.1.0"), 'test -z "$GITHUB_TOKEN"').build(app)
    with raises(BuildError, r"GITHUB_TOKEN env var not set by provided modal\.Secret"):
        install(OTHER="x").build(app)


by_apt = looks("by_apt", slim.apt_install("file"))


@story()
def packages_by_apt():
    """apt_install"""
    equal(by_apt.remote("which('file')"), "/usr/bin/file")


@story(only=r"1\.6")
def packages_of_another_release():
    """apt_install on a release that may not be the host's"""
    modal.Image.from_registry("debian:trixie-slim").apt_install("file").run_commands("file --version").build(app)


commanded = looks(
    "commanded",
    slim.env({"FIRST": "one", "QUOTED": "it's \"two\" words $HOME"})
    .run_commands("echo $FIRST > /one", "echo two > /two && cat /one >> /two")
    .shell(["/bin/bash", "-c"])
    .run_commands("[[ $FIRST == o* ]] && echo bash > /bash")
    .dockerfile_commands("RUN echo three > /three", "ENV THIRD=3")
    .workdir("/srv/it's here")
    .cmd(["sleep", "1"])
)


@story()
def commands():
    """run_commands, env, shell, dockerfile_commands, workdir and cmd"""
    equal(commanded.remote("read('/two'), read('/bash'), read('/three')"), ("two\none\n", "bash\n", "three\n"))
    equal(commanded.remote("os.environ['QUOTED'], os.environ['THIRD']"), ("it's \"two\" words $HOME", "3"))
    equal(commanded.remote("os.getcwd()"), "/srv/it's here")


entered = looks("entered", slim.run_commands("printf '#!/bin/sh\\nENTERED=yes exec \"$@\"\\n' > /enter; chmod +x /enter").entrypoint(["/enter"]))


@story()
def entry_point():
    """entrypoint is what begins the container"""
    equal(entered.remote("os.environ['ENTERED']"), "yes")


from_file = looks("from_file", modal.Image.from_dockerfile(built / "Dockerfile", context_dir=built, build_args={"GREETING": "hello"}))


@story()
def dockerfile():
    """from_dockerfile, of several stages, with arguments, a context and what is ignored of it"""
    equal(from_file.remote("os.environ['GREETING'], os.getcwd()"), ("hello, world", "/made"))
    equal(from_file.remote("read('/made/copied'), read('/texts/a.txt')"), ("made by a stage\n", "text of a\n"))
    equal(from_file.remote("os.listdir('/folder/deep')"), ["b.txt"])


@story(only=r"1\.6")
def added_addresses():
    """ADD of an address fetches it, and a file that is not what the checksum says is refused"""
    place = "https://files.pythonhosted.org/packages/d9/5a/e7c31adbe875f2abbb91bd84cf2dc52d792b5a01506781dbcf25c91daf11/"
    digest = "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"

    def adds(digest):
        return slim.dockerfile_commands(f"ADD --checksum=sha256:{digest} {place}six-1.16.0-py2.py3-none-any.whl /wheels/")

    adds(digest).run_commands("pip install --no-index /wheels/*.whl", has("six", "1.16.0")).build(app)
    with raises(BuildError, rf"is not what --checksum says: it is sha256:{digest} and not"):
        adds("0" * 64).build(app)


# Only a Python that is not the distribution's can be added to other images.
copyable = os.environ.get("COPYABLE_PYTHON")
lines = ["RUN echo set up > /set"]
added = copyable and looks(
    "added",
    modal.Image.from_registry("debian:bookworm-slim", add_python=copyable, setup_dockerfile_commands=lines),
)


@story()
def without_python():
    """from_registry with add_python and lines of its own, on an image without Python"""
    if added:
        equal(added.remote("'%d.%d' % sys.version_info[:2]"), copyable)
        equal(added.remote("read('/set')"), "set up\n")


copied = (
    slim.add_local_dir(built / "folder", "/copied", copy=True, ignore=["**/*.md"])
    .add_local_file(built / "requirements.txt", "/copied/one.txt", copy=True)
    .add_local_python_source("story", copy=True)
    .run_commands("find /copied -type f | sort > /listing", "ls /root/story.py")
)
files = looks("files", copied.add_local_dir(built / "folder", "/shown", ignore=lambda path: path.suffix == ".md"))


@story()
def local_files():
    """add_local_dir and add_local_file, copied into the image, or shown in the container for reading only"""
    equal(files.remote("read('/listing')"), "/copied/a.txt\n/copied/deep/b.txt\n/copied/one.txt\n")
    equal(files.remote("os.listdir('/shown/deep'), read('/shown/deep/b.txt')"), (["b.txt"], "text of b\n"))
    refused = "Read-only file system"
    equal(files.remote("writing('/copied/a.txt'), writing('/shown/a.txt'), writing('/shown/new')"), (None, refused, refused))
    equal(commanded.remote("writing('/root/story.py'), writing('/root/new')"), (refused, None))


secret = modal.Secret.from_dict({"TOKEN": "never in a layer"})
secretive = looks("secretive", slim.run_commands("echo -n $TOKEN | wc -c > /length", secrets=[secret]))


@story()
def secrets():
    """A step has the variables of its secrets, and the container has not"""
    equal(secretive.remote("read('/length'), os.environ.get('TOKEN')"), ("16\n", None))


@story()
def builds():
    """Image.build makes an image without a function, and it is there by its id; imports"""
    image = slim.run_commands(f"echo {mine} > /mine").build(app)
    assert re.match(r"im-\w+", image.object_id)
    again = modal.Image.from_id(image.object_id).run_commands(f"grep -q {mine} /mine").build(app)
    assert again.object_id != image.object_id
    with image.imports():
        import six_that_is_not_there  # noqa: F401


@story(only=r"1\.6")
def published():
    """Image.publish gives a name, by which it is there"""
    slim.run_commands(f"echo {mine} > /mine").build(app).publish(f"published-{mine}")
    modal.Image.from_name(f"published-{mine}").run_commands(f"grep -q {mine} /mine").build(app)
    with raises(modal.exception.NotFoundError, r"never-published"):
        modal.Image.from_name("never-published").build(app)


@story(only=r"1\.6")
def piped():
    """pipe, from_scratch and logs"""
    image = slim.pipe(lambda image, value: image.env({"PIPED": value}), "yes").run_commands("test $PIPED = yes && echo piped")
    image.build(app)
    logs = "".join(str(entry) for entry in image.logs.fetch())
    assert "test $PIPED = yes" in logs and any("piped" in str(entry) for entry in image.logs.tail(10)), logs
    modal.Image.from_scratch().add_local_file(built / "requirements.txt", "/only", copy=True).build(app)


@story()
def forced():
    """force_build makes it again"""
    command = "date +%s%N > /at; cat /at"
    ids = {slim.run_commands(command, force_build=force).build(app).object_id for force in (False, True)}
    equal(len(ids), 2)


@story()
def fails():
    """A step that fails is an error with the command, its code and its last lines"""
    image = slim.run_commands("echo almost; echo it broke >&2; exit 3")
    with raises(BuildError, r"exit 3: the command exited with code 3\s+almost\s+it broke"):
        image.build(app)


@story()
def nowhere():
    """A base that is nowhere is an error with what was tried"""
    with raises(Exception, r"nowhere/image"):
        modal.Image.from_registry("registry.invalid/nowhere/image:1").build(app)
    with raises(Exception, r"there is no image docker\.io/mambaorg/micromamba:\S+; tried: "):
        modal.Image.micromamba(python_version="3.11").micromamba_install("zlib").build(app)


@app.local_entrypoint()
def main():
    tell()
