"""Images of a registry that wants credentials."""

import os
import tempfile

import modal
from story import raises

app = modal.App("registries")
registry = os.environ["REGISTRY"]
password = os.environ["REGISTRY_PASSWORD"]
BuildError = modal.exception.RemoteError if modal.__version__.startswith("1.3.") else modal.exception.ImageBuildError


def login(name="ada", secret=password):
    return modal.Secret.from_dict({"REGISTRY_USERNAME": name, "REGISTRY_PASSWORD": secret})


@app.local_entrypoint()
def main():
    image = f"{registry}/team/app:{modal.__version__}"  # what is there is asked of nobody
    with raises(BuildError, r"no such image for who does not log in"):
        modal.Image.from_registry(image).build(app)
    with raises(BuildError, r'does not accept the credentials of "ada"'):
        modal.Image.from_registry(image, secret=login(secret="open barley")).build(app)
    modal.Image.from_registry(image, secret=login()).build(app)
    with raises(BuildError, r"only for those to whom its registry shows it: .* for who does not log in"):
        modal.Image.from_registry(image).build(app)
    account = modal.Secret.from_dict({"SERVICE_ACCOUNT_JSON": password})
    modal.Image.from_gcp_artifact_registry(image, secret=account).build(app)
    keys = {"AWS_REGION": "eu-nowhere-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with raises(BuildError, r"api\.ecr\.eu-nowhere-1\.amazonaws\.com gave no password"):
        modal.Image.from_aws_ecr(image, secret=modal.Secret.from_dict(keys)).build(app)
    if modal.__version__.startswith("1.6."):  # the others cannot say how to log in for a Dockerfile
        with tempfile.NamedTemporaryFile("w", suffix="Dockerfile") as dockerfile:
            dockerfile.write(f"FROM {image}\nENV A=b\n")
            dockerfile.flush()
            modal.Image.from_dockerfile(dockerfile.name, registry_secret=login()).build(app)
    print("all are made")
