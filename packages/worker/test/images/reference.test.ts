import assert from "node:assert/strict";
import { it } from "node:test";

import { offlineImage } from "../../src/images/offline-images.ts";
import { nameOf, parseReference } from "../../src/images/reference.ts";
import { placesOf } from "../../src/images/registry-settings.ts";
import { standaloneName } from "../../src/images/standalone-python.ts";

const digest = `sha256:${"a".repeat(64)}`;

it("reads names as other clients of registries do", () => {
  const cases: [string, string][] = [
    ["python", "docker.io/library/python:latest"],
    ["python:3.12-slim", "docker.io/library/python:3.12-slim"],
    ["team/app", "docker.io/team/app:latest"],
    ["index.docker.io/python", "docker.io/library/python:latest"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"],
    ["[::1]:5000/app", "[::1]:5000/app:latest"],
    ["GHCR.io/astral-sh/uv:0.7", "ghcr.io/astral-sh/uv:0.7"],
    [`reg.example/app@${digest}`, `reg.example/app@${digest}`],
    [`reg.example:443/app:1@${digest}`, `reg.example:443/app:1@${digest}`],
  ];
  for (const [text, name] of cases) {
    assert.equal(nameOf(parseReference(text)), name, text);
    assert.equal(nameOf(parseReference(name)), name, name);
  }
});

it("refuses what is no name, and says why", () => {
  const bad = [
    "",
    "A",
    "a//b",
    "../a",
    "a:",
    "a:b:c",
    "a@sha256:12",
    `a@${digest}@${digest}`,
    "a b",
    "reg.example/",
    "x/a?b",
    "-a",
    "h..x/A",
  ];
  for (const text of bad) assert.throws(() => parseReference(text), /is no name of an image/, text);
});

it("asks where the operator says, else the registry itself", () => {
  const settings = { mirrors: { "docker.io": ["http://m.example/hub", "https://n.example"] } };
  assert.deepEqual(placesOf(settings, "docker.io"), ["http://m.example/hub", "https://n.example"]);
  assert.deepEqual(placesOf({ mirrors: {} }, "docker.io"), ["https://registry-1.docker.io"]);
  assert.deepEqual(placesOf(settings, "ghcr.io"), ["https://ghcr.io"]);
  assert.deepEqual(placesOf(settings, "127.0.0.1:5000"), ["http://127.0.0.1:5000"]);
  assert.deepEqual(placesOf(settings, "169.254.169.254"), []);
});

it("knows which public images can be made here, by name", () => {
  const host = { codename: "bookworm", python: "3.11" };
  const made = (name: string, on = host): string => {
    const image = offlineImage(parseReference(name), on);
    if (image === undefined) return "none";
    if (image.kind === "python") return `python ${image.python} ${image.version ?? "-"} on ${image.codename}`;
    return image.kind === "debian" ? `debian ${image.codename}` : `uv ${image.version ?? "newest"}`;
  };
  const cases: [string, string][] = [
    ["python:3.12", "python 3.12 - on bookworm"],
    ["python:3.12.10-slim-bookworm", "python 3.12 3.12.10 on bookworm"],
    ["python:3.12-slim-trixie", "python 3.12 - on trixie"],
    ["python:3.9-slim-bullseye", "python 3.9 - on bookworm"],
    ["python:3.12-alpine", "none"],
    ["python:latest", "none"],
    [`python:3.12@${digest}`, "none"],
    ["ghcr.io/library/python:3.12", "none"],
    ["debian:bookworm-slim", "debian bookworm"],
    ["debian:12.5-slim", "debian bookworm"],
    ["debian:bookworm-20240612-slim", "debian bookworm"],
    ["debian:sid", "none"],
    ["ubuntu:22.04", "none"],
    ["ghcr.io/astral-sh/uv:0.7.2", "uv 0.7.2"],
    ["ghcr.io/astral-sh/uv:latest", "uv newest"],
    ["ghcr.io/astral-sh/uv:debian", "none"],
  ];
  for (const [name, expected] of cases) assert.equal(made(name), expected, name);
  const jammy = { codename: "jammy", python: "3.10" };
  assert.equal(made("ubuntu:22.04", jammy), "debian jammy");
  assert.equal(made("ubuntu:24.04", jammy), "none");
  assert.equal(made("debian:bookworm", jammy), "none");
  assert.equal(made("python:3.12-slim-bookworm", jammy), "python 3.12 - on jammy");
});

it("knows the mounts that stand for a Python, and no others", () => {
  const name = { release: "20240107", python: "3.12" };
  assert.deepEqual(standaloneName("python-build-standalone.20240107.3.12.1-gnu"), name);
  for (const other of ["modal-client-mount-1.6.4", "python-build-standalone.20251209.3.14.2t-gnu", "x"]) {
    assert.equal(standaloneName(other), undefined, other);
  }
});
