"""Writes the descriptors inside the installed public client to stdout, as one FileDescriptorSet."""

import importlib
import sys

from google.protobuf import descriptor_pb2

MODULES = ["modal_proto.api_pb2", "modal_proto.task_command_router_pb2"]

seen = set()
files = descriptor_pb2.FileDescriptorSet()


def add(descriptor):
    """Adds a file after the files that it imports."""
    if descriptor.name in seen:
        return
    seen.add(descriptor.name)
    for dependency in descriptor.dependencies:
        add(dependency)
    descriptor.CopyToProto(files.file.add())


for module in MODULES:
    add(importlib.import_module(module).DESCRIPTOR)
sys.stdout.buffer.write(files.SerializeToString())
