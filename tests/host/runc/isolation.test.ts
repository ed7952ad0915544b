/** What a container of the runtime `runc` sees, and what is shown to it. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";

import { needsContainers, outputOf, type Rig, sharedRig } from "./rig.ts";

for (const userns of [true, false]) {
  describe(`a container ${userns ? "with" : "without"} a user namespace`, needsContainers, () => {
    const shared = sharedRig({ userns });
    it("sees its own processes, name, users and network, and nothing of the host's", () =>
      seesItsOwn(shared.rig, userns));
    it("cannot write where the kernel is set up, nor make namespaces or mounts", () => cannotReachOut(shared.rig));
    it("keeps what it writes to itself, and the image as it is", () => keepsToItself(shared.rig));
    it("finds its files, packages, address book and both doors", () => findsWhatIsShown(shared.rig));
  });
}

/** The answers of shell commands, one line each. */
async function ask(rig: Rig, commands: Record<string, string>): Promise<Record<string, string>> {
  const script = Object.entries(commands).map(
    ([name, command]) => `echo "${name}=$( { ${command}; } 2>&1 | tr '\\n' ' ')"`,
  );
  const { output } = await rig.run(script.join("\n"), { memoryMib: 256 });
  return Object.fromEntries(
    output
      .trim()
      .split("\n")
      .map((line) => {
        const at = line.indexOf("=");
        return [
          line.slice(0, at),
          line
            .slice(at + 1)
            .trim()
            .replaceAll(/\s+/g, " "),
        ];
      }),
  );
}

async function seesItsOwn(rig: Rig, userns: boolean): Promise<void> {
  const seen = await ask(rig, {
    init: "cat /proc/1/comm; chmod 777 /run/lydian/init",
    pids: "ls /proc | grep -c '^[0-9]'",
    hostname: "hostname",
    hosts: "grep -c $(hostname) /etc/hosts",
    user: "id -un",
    map: "cat /proc/self/uid_map",
    links: "ls /sys/class/net",
    group: "cat /proc/self/cgroup | grep -v ':/$'",
    caps: "grep CapBnd /proc/self/status | cut -f2",
    privileges: "grep NoNewPrivs /proc/self/status | cut -f2",
    seccomp: "grep Seccomp: /proc/self/status | cut -f2",
    files: "ulimit -Hn",
    core: "ulimit -Hc",
  });
  assert.match(seen["init"] ?? "", /^init .*Read-only file system/);
  assert.ok(Number(seen["pids"]) < 10, `${seen["pids"]} processes`);
  assert.match(seen["hostname"] ?? "", /^[a-z0-9]{8,12}$/);
  assert.equal(seen["hosts"], "1");
  assert.equal(seen["user"], "root");
  assert.equal(seen["map"]?.startsWith("0 0 "), !userns);
  assert.equal(seen["links"], "eth0 lo");
  assert.equal(seen["group"], "");
  assert.equal(seen["caps"], "00000000a80425fb");
  assert.equal(seen["privileges"], "1");
  assert.equal(seen["seccomp"], "2");
  assert.ok(Number(seen["files"]) <= 65_536);
  assert.equal(seen["core"], "0");
}

async function cannotReachOut(rig: Rig): Promise<void> {
  const refused = /Read-only file system|Permission denied|Operation not permitted|nonexistent|must be root/i;
  const tries = await ask(rig, {
    sysctl: "echo 1 > /proc/sys/kernel/panic",
    sysrq: "echo h > /proc/sysrq-trigger",
    sys: "echo 1 > /sys/class/net/lo/mtu",
    group: "mkdir $(ls -d /sys/fs/cgroup /sys/fs/cgroup/memory 2>/dev/null | tail -1)/mine",
    pattern: "echo x > /proc/sys/kernel/core_pattern",
    mount: "mount -t tmpfs none /mnt",
    unshare: "unshare --user true",
    pidns: "unshare --pid --fork true",
    dmesg: "dmesg",
    kcore: "head -c 1 /proc/kcore | od -c | grep -q '[^0]' && echo readable || echo 'Permission denied'",
    device: "mknod /tmp/sda b 8 0 && cat /tmp/sda",
    hostname: "hostname other",
  });
  for (const [name, answer] of Object.entries(tries)) assert.match(answer, refused, `${name}: ${answer}`);
}

async function keepsToItself(rig: Rig): Promise<void> {
  const { output } = await rig.run(
    "echo mine > /root/file; echo mine >> /etc/passwd; rm /etc/debian_version; ls /root",
  );
  assert.equal(output, "file\n");
  const again = await rig.run("ls /root; tail -1 /etc/passwd; cat /etc/debian_version");
  assert.doesNotMatch(again.output, /mine|file/);
  assert.match(again.output, /^12/m);
}

async function findsWhatIsShown(rig: Rig): Promise<void> {
  const packages = await mkdtemp(join(tmpdir(), "lydian-packages-"));
  await chmod(packages, 0o755);
  await writeFile(join(packages, "module.py"), "print('from the package')\n", { mode: 0o644 });
  const place = await rig.place();
  const unixDoor = net.createServer((inside) => inside.end("through the unix door\n"));
  try {
    await new Promise<void>((resolve) => unixDoor.listen({ path: place.doorFile, writableAll: true }, resolve));
    const layout = await rig.lay(place);
    const mounted = layout.hostPath("/lib/own/data.txt"); // /lib is a link to usr/lib in the image
    await mkdir(dirname(mounted), { recursive: true });
    await writeFile(mounted, "laid\n");
    const code = layout.hostPath("/root/code.py");
    await mkdir(dirname(code), { recursive: true });
    await writeFile(code, "print('code')\n", { mode: 0o644 });
    await layout.showFiles?.();
    assert.throws(() => layout.hostPath("/proc/1/x"), /the system's/);
    const process = await rig.start(
      place,
      `cat "$ARGUMENTS" /lib/own/data.txt; stat -c %U /root/code.py /usr/lib/own/data.txt
           python3 code.py; PYTHONPATH=$PACKAGES python3 -m module
           touch $PACKAGES/x || echo refused; touch /run/lydian/files/x || echo refused
           grep -c nameserver /etc/resolv.conf
           python3 -c "
import socket
for family, address in ((socket.AF_UNIX, '$DOOR'.removeprefix('unix:')), (socket.AF_INET, ('127.0.0.1', 8700))):
    connection = socket.socket(family)
    connection.connect(address)
    print(connection.makefile().read(), end='')
"`,
      {
        ARGUMENTS: await layout.addFile("arguments", Buffer.from("arguments\n")),
        PACKAGES: await layout.addFolder("pkg", packages),
        DOOR: layout.serverUrl,
      },
    );
    assert.throws(() => layout.hostPath("/root/late"), /after the start/);
    await process.end;
    const output = outputOf(await readFile(place.logFile, "utf8"));
    const expected = ["arguments", "laid", "root", "root", "code", "from the package"];
    for (const line of expected) assert.match(output, new RegExp(`^${line}$`, "m"));
    assert.equal(output.match(/^refused$/gm)?.length, 2, output);
    assert.match(output, /^[1-9]$/m);
    assert.match(output, /through the unix door\nthrough the loopback door\n/);
    assert.equal((await stat(join(packages, "module.py"))).uid, 0);
  } finally {
    await rig.runtime.clear(place);
    unixDoor.close();
    await rm(packages, { recursive: true });
  }
}
