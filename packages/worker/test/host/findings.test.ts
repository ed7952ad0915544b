// How answers of the host are judged; tests/host/doctor asks this host itself.

import assert from "node:assert/strict";
import { it } from "node:test";

import { findRival } from "../../src/host/firewall.ts";
import { missing, ok, warning, whatStandsInTheWay } from "../../src/host/finding.ts";
import { judgeRights, probeKernel } from "../../src/host/kernel.ts";
import { ip, judgeProgram, mmdebstrap, runc, tini } from "../../src/host/programs.ts";

it("judges kernels by their number", () => {
  const states = {
    "4.19.0-26-amd64": "missing",
    "5.14.0-503.el9": "missing",
    "5.15.0-130-generic": "warning",
    "6.0.19": "warning",
    "6.1.0-56-amd64": "ok",
    "6.18": "ok",
    "7.0.0-rc1": "ok",
  };
  for (const [release, state] of Object.entries(states))
    assert.equal(probeKernel(release).finding.state, state, release);
  const { major, minor } = probeKernel("6.1.0-56-amd64").value;
  assert.deepEqual([major, minor], [6, 1]);
});

it("judges rights by user and capabilities", () => {
  const status = (effective: string): string => `Name:\tnode\nCapInh:\t0000000000000000\nCapEff:\t${effective}\n`;
  assert.equal(judgeRights(status("000001ffffffffff"), 0).value, true);
  assert.equal(judgeRights(status("000001fffeffffff"), 0).value, true); // without SYS_RESOURCE
  const docker = judgeRights(status("00000000a80425fb"), 0);
  assert.equal(docker.value, false);
  assert.equal(docker.finding.detail, "root without CAP_NET_ADMIN, CAP_SYS_ADMIN");
  const user = judgeRights(status("0000000000000000"), 1000).finding;
  assert.equal(user.detail, "this is user 1000, and containers need root");
});

it("judges runc by what it says of itself", () => {
  const debian =
    "runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\ngo: go1.19.8\nlibseccomp: 2.5.4\n";
  const judge = (text: string | undefined) => judgeProgram(runc, "/usr/sbin/runc", text);
  assert.deepEqual(judge(debian).value, { path: "/usr/sbin/runc", version: "1.1.5+ds1" });
  assert.equal(judge(debian.replaceAll("1.1.5+ds1", "1.3.0-rc.2")).finding.state, "ok");
  const details = [undefined, "1", debian.replace("1.1.5", "1.0.3"), debian.replace(/libseccomp.*/, "")].map(
    (text) => judge(text).finding.detail,
  );
  assert.deepEqual(details, [
    "/usr/sbin/runc does not say its version",
    "/usr/sbin/runc does not say its version",
    "/usr/sbin/runc is runc 1.0.3+ds1, and 1.1 is needed",
    "/usr/sbin/runc is built without libseccomp",
  ]);
  assert.match(judgeProgram(runc, undefined, undefined).finding.remedy ?? "", /apt-get install runc/);
});

it("finds the version in what other programs say, and only warns of what can be done without", () => {
  const says = { ip: "ip utility, iproute2-6.1.0, libbpf 1.1.2\n", mmdebstrap: "mmdebstrap 1.3.5\n" };
  assert.equal(judgeProgram(ip, "/sbin/ip", says.ip).value?.version, "6.1.0");
  assert.equal(judgeProgram(tini, "/usr/bin/tini-static", "tini version 0.19.0\n").value?.version, "0.19.0");
  assert.equal(judgeProgram(mmdebstrap, "/usr/bin/mmdebstrap", says.mmdebstrap).value?.version, "1.3.5");
  assert.equal(judgeProgram(ip, undefined, undefined).finding.state, "missing");
  const { state, detail } = judgeProgram(mmdebstrap, undefined, undefined).finding;
  assert.deepEqual([state, detail], ["warning", "is not on the PATH: base images can come from a registry only"]);
});

it("finds another firewall whose forward chain drops by default", () => {
  const chain = (hook: string, policy: string) => ({
    chain: { family: "ip", table: "filter", name: "FORWARD", handle: 2, type: "filter", hook, prio: 0, policy },
  });
  const list = (...chains: object[]): string =>
    JSON.stringify({ nftables: [{ metainfo: { version: "1.0.6" } }, { chain: { name: "DOCKER" } }, ...chains] });
  assert.equal(findRival(list()), undefined);
  assert.equal(findRival(list(chain("forward", "accept"), chain("input", "drop"))), undefined);
  assert.equal(findRival(list(chain("forward", "drop"))), "the chain ip filter FORWARD of another firewall");
});

it("only what is missing stands in the way of containers", () => {
  const findings = [
    { name: "Kernel", ...ok("new") },
    { name: "Id maps", ...warning("none", "another disk") },
    { name: "runc", ...missing("none", "install it") },
  ];
  assert.deepEqual(
    whatStandsInTheWay(findings).map(({ name }) => name),
    ["runc"],
  );
});
