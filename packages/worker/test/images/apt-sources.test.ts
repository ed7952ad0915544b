/** Where a build takes packages from: the host's sources are for images of the host's release, and of no other. */
import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";

import { type ImageSources, imageSources, settingsFor } from "../../src/images/apt-sources.ts";
import { osRelease } from "../../src/images/os-release.ts";
import type { PackageSettings } from "../../src/images/package-settings.ts";
import { makeWhiteout } from "../../src/layers/index.ts";
import { temporaryFolder } from "../support/temporary.ts";

const debianFile = "/etc/apt/sources.list.d/debian.sources";
const company = "/etc/apt/sources.list.d/company.list";
const paragraph = (...suites: string[]): string =>
  `Types: deb\nURIs: http://mirror\nSuites: ${suites.join(" ")}\nComponents: main\n`;

/** A host of bookworm with a mirror and a repository of its company. */
const settings: PackageSettings = {
  binds: [debianFile, company, "/etc/pip.conf"].map((path) => ({ path, source: path })),
  files: [{ path: "/etc/apt/apt.conf.d/00host", text: "Acquire::x 1;\n" }],
  environment: { https_proxy: "http://proxy" },
  warnings: [],
  sources: [
    { name: debianFile, text: paragraph("bookworm", "bookworm-updates") },
    { name: company, text: "deb http://company stable tools\n" },
  ],
  codename: "bookworm",
};

const image = (codename: string, family: ImageSources["family"] = "debian", text = ""): ImageSources => {
  return { family, codename, files: text === "" ? [] : [{ name: "/etc/apt/sources.list", text }] };
};

const seen = (of: ImageSources, from = settings): { binds: string[]; archive: string } => {
  const { binds, files, environment } = settingsFor(from, of);
  assert.deepEqual(environment, from.environment);
  assert.deepEqual(files.slice(0, from.files.length), from.files, "proxies and the like hold for all");
  return { binds: binds.map(({ path }) => path), archive: files[from.files.length]?.text ?? "" };
};

it("shows the host's to an image of the host's release", () => {
  assert.deepEqual(seen(image("bookworm")), { binds: [debianFile, company, "/etc/pip.conf"], archive: "" });
});

it("shows none of them to another release, which has its own", () => {
  const own = image("noble", "ubuntu", "deb http://archive noble main\n");
  assert.deepEqual(seen(own), { binds: ["/etc/pip.conf"], archive: "" });
  assert.deepEqual(seen(image("", undefined)), { binds: ["/etc/pip.conf"], archive: "" }, "of another family");
});

it("shows what the host has for that release", () => {
  const text = paragraph("bookworm", "trixie");
  const both = { ...settings, sources: [{ name: debianFile, text }, ...settings.sources.slice(1)] };
  assert.deepEqual(seen(image("trixie"), both), { binds: [debianFile, "/etc/pip.conf"], archive: "" });
});

it("names the distribution's archive to an image that names none", () => {
  const { binds, archive } = seen(image("trixie"));
  assert.deepEqual(binds, ["/etc/pip.conf"]);
  assert.match(
    archive,
    /^deb \[signed-by=\S+debian-archive-keyring\.gpg\] http:\/\/deb\.debian\.org\/debian trixie main$/m,
  );
  assert.match(archive, / http:\/\/deb\.debian\.org\/debian-security trixie-security main$/m);
  assert.match(seen(image("noble", "ubuntu")).archive, / noble-security main universe$/m);
  const vendor = "deb [signed-by=/etc/apt/keyrings/x.gpg] http://vendor trixie stable\n";
  assert.notEqual(
    seen(image("trixie", "debian", vendor)).archive,
    "",
    "a vendor's packages are not the distribution's",
  );
  assert.notEqual(seen(image("bookworm"), { ...settings, sources: [] }).archive, "", "where nothing is inherited");
});

it("knows the families that take each other's packages", () => {
  assert.deepEqual(osRelease("ID=debian\nVERSION_CODENAME=trixie\n"), { family: "debian", codename: "trixie" });
  const mint = "ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy\n";
  assert.deepEqual(osRelease(mint), { family: "ubuntu", codename: "jammy" });
  assert.deepEqual(osRelease("ID=alpine\nVERSION_CODENAME=x\n"), { family: undefined, codename: "" });
});

it("reads the topmost of an image's files, and nothing that a link leads to", async (t) => {
  const folder = await temporaryFolder(t);
  const layer = async (name: string, files: Record<string, string>) => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name, path)), { recursive: true });
      await writeFile(join(folder, name, path), text);
    }
    return { id: name, diff: join(folder, name) };
  };
  const lower = await layer("lower", {
    "usr/lib/os-release": "ID=debian\nVERSION_CODENAME=trixie\n",
    "etc/apt/sources.list.d/a.list": "lower",
    "etc/apt/sources.list.d/gone.list": "lower",
    "etc/apt/sources.list.d/a.list.save": "lower",
  });
  const upper = await layer("upper", { "etc/apt/sources.list.d/a.list": "upper" });
  makeWhiteout(upper.diff, "etc/apt/sources.list.d/gone.list");
  const linked = await layer("linked", { "usr/x": "" });
  await symlink("/etc", join(linked.diff, "etc"));
  assert.deepEqual(await imageSources([linked, upper, lower]), {
    ...{ family: "debian", codename: "trixie" },
    files: [{ name: "/etc/apt/sources.list.d/a.list", text: "upper" }],
  });
});
