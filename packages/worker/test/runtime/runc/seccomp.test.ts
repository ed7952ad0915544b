/** The table of system calls against the reference: moby's default profile, as the public Go module carries it. */
import assert from "node:assert/strict";
import { execFileSync, type ExecFileSyncOptionsWithStringEncoding } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { type SeccompRule, seccompProfile } from "../../../src/runtime/runc/seccomp.ts";
import { containerCapabilities } from "../../../src/runtime/runc/oci-spec.ts";

const reference = "github.com/moby/profiles/seccomp@v0.3.0";

interface ReferenceRule extends SeccompRule {
  includes?: Conditions;
  excludes?: Conditions;
}
interface Conditions {
  caps?: string[];
  arches?: string[];
  minKernel?: string;
}

/** The reference as JSON; undefined where there is no Go, or its module proxy cannot be reached. */
function readReference(): ReferenceRule[] | undefined {
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      encoding: "utf8",
      timeout: 20_000,
      stdio: ["ignore", "pipe", "ignore"],
    };
    const cached = join(execFileSync("go", ["env", "GOMODCACHE"], options).trim(), reference, "default.json");
    if (!existsSync(cached)) execFileSync("go", ["mod", "download", reference], options);
    return (JSON.parse(readFileSync(cached, "utf8")) as { syscalls: ReferenceRule[] }).syscalls;
  } catch {
    return undefined;
  }
}

/** Whether a rule of the reference holds for a container of ours on x86_64 (`go` says amd64) and a current kernel. */
function holds(rule: ReferenceRule): boolean {
  const caps = (wanted: string[]): boolean => wanted.every((cap) => containerCapabilities.includes(cap));
  const arches = (wanted: string[]): boolean => wanted.includes("amd64");
  const { includes = {}, excludes = {} } = rule;
  if (includes.caps !== undefined && !caps(includes.caps)) return false;
  if (includes.arches !== undefined && !arches(includes.arches)) return false;
  if (excludes.caps !== undefined && caps(excludes.caps)) return false;
  return excludes.arches === undefined || !arches(excludes.arches);
}

/** What the rules say about each call: "allowed", or the sorted list of what is allowed or answered. */
function effect(rules: readonly SeccompRule[]): Map<string, string> {
  const said = new Map<string, Set<string>>();
  for (const { names, action, args = [], errnoRet } of rules) {
    const text =
      action === "SCMP_ACT_ALLOW"
        ? args.map(({ index, op, value, valueTwo }) => `${index} ${op} ${value} ${valueTwo ?? 0}`).join(" and ") ||
          "allowed"
        : `errno ${[errnoRet, ...args.map(({ value, valueTwo }) => `${value} ${valueTwo}`)].join(" where ")}`;
    for (const name of names) said.set(name, (said.get(name) ?? new Set()).add(text));
  }
  return new Map([...said].map(([name, texts]) => [name, [...texts].sort().join("; ")]));
}

/** Calls of 32-bit and of other processors: a filter for x86_64 alone passes them over. */
const elsewhere =
  /^(_llseek|_newselect|ipc|recv|send|fadvise64_64|fstatat64|mmap2|riscv_hwprobe|sigprocmask|sigreturn|socketcall|ugetrlimit|waitpid|(f?chown|lchown|[gs]et(e|re|res|fs)?[ug]id|[gs]etgroups)32|(fcntl|fstat|fstatfs|ftruncate|lstat|sendfile|stat|statfs|truncate)64|\w+_(time|gettime|settime)64|clock_adjtime64)$/;

/**
 * Where we differ from the reference on purpose: fewer kinds of sockets, one limit that stays, and no room on a disk that
 * is set aside; see seccomp.ts.
 */
const deliberate = new Set(["socket", "socketpair", "prlimit64", "setrlimit", "fallocate", "ioctl"]);

test("the profile allows what the reference allows, but for the deliberate differences", (t) => {
  const rules = readReference();
  if (rules === undefined) return t.skip(`${reference} cannot be had here`);
  const theirs = effect(rules.filter(holds));
  const ours = effect(seccompProfile("x64").syscalls);
  const differing = [...new Set([...theirs.keys(), ...ours.keys()])].filter(
    (name) => !elsewhere.test(name) && theirs.get(name) !== ours.get(name),
  );
  assert.deepEqual(new Set(differing), deliberate);
  const families = (text = ""): number[] =>
    text.split("; ").flatMap((one) => {
      const [first, op, value] = one.split(" ");
      if (first === "errno") return [];
      return op === "SCMP_CMP_LT" ? [...Array(Number(value)).keys()] : [Number(value)];
    });
  const theirFamilies = new Set(families(theirs.get("socket")));
  assert.ok(families(ours.get("socket")).every((family) => theirFamilies.has(family)));
});

test("what must never be allowed is not", () => {
  const ours = effect(seccompProfile("x64").syscalls);
  const closed = `mount umount2 move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr pivot_root unshare setns
    bpf perf_event_open keyctl add_key request_key init_module finit_module delete_module kexec_load kexec_file_load
    open_by_handle_at fanotify_init syslog quotactl swapon swapoff reboot settimeofday clock_settime iopl ioperm acct
    io_uring_setup io_uring_enter io_uring_register userfaultfd pidfd_getfd kcmp process_madvise sethostname
    setdomainname vhangup lookup_dcookie nfsservctl mbind set_mempolicy migrate_pages move_pages`;
  for (const name of closed.split(/\s+/)) assert.equal(ours.get(name), undefined, name);
  assert.equal(ours.get("clone3"), "errno 38");
  assert.equal(ours.get("fallocate"), "1 SCMP_CMP_MASKED_EQ 2 2; errno 95 where 2 0");
  assert.equal(ours.get("clone"), "0 SCMP_CMP_MASKED_EQ 2114060288 0");
});

test("every ioctl is allowed but those of one type, whatever stands in the bits that the kernel does not read", () => {
  const rules = seccompProfile("x64").syscalls.filter(({ names }) => names.includes("ioctl"));
  const allows = (code: bigint): boolean =>
    rules.some(({ args = [] }) => args.every((arg) => (code & BigInt(arg.value)) === BigInt(arg.valueTwo ?? 0)));
  for (let type = 0n; type < 256n; type++) {
    for (const rest of [0n, 0x4030_0028n, 0xffff_00ffn, 0xffff_ffff_ffff_00ffn]) {
      assert.equal(allows((type << 8n) | rest), type !== 0x58n, `type ${type}`);
    }
  }
});

test("no call is listed twice, and each processor has its own", () => {
  for (const processor of ["x64", "arm64"]) {
    const [first] = seccompProfile(processor).syscalls;
    assert.equal(new Set(first?.names).size, first?.names.length);
    assert.equal(first?.names.includes("arch_prctl"), processor === "x64");
    assert.equal(seccompProfile(processor).architectures.length, 1);
  }
});
