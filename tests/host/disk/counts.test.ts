/** What is counted as a container's disk, and that its own limit of it holds, in real containers. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { within } from "@lydian/testkit";
import { type Count, diskGauge } from "@lydian/worker/src/disk/disk-gauge";

import { needsContainers, type Rig, sharedRig } from "../runc/rig.ts";

const shared = sharedRig();

const mebibyte = 2 ** 20;

/** Programs that write `MIB` mebibytes, say so, and stay. */
const python = (lines: string): string => `exec python3 -c "
import array, os, socket, subprocess, time
MIB = 100
piece = b'x' * (1 << 20)
def write(fd):
    for _ in range(MIB): os.write(fd, piece)
${lines}
print('written', flush=True)
time.sleep(60)"`;

const unnamed = "fd = os.open('/root', os.O_TMPFILE | os.O_RDWR)";
const disk: Record<string, string> = {
  "a file": "write(os.open('/root/file', os.O_CREAT | os.O_WRONLY))",
  "a file in /tmp": "write(os.open('/tmp/file', os.O_CREAT | os.O_WRONLY))",
  "a file that was deleted and is open":
    "fd = os.open('/root/f', os.O_CREAT | os.O_RDWR); os.unlink('/root/f'); write(fd)",
  "a file that never had a name": `${unnamed}; write(fd)`,
  "a program that was deleted while it runs":
    "subprocess.run(['cp', '/bin/sleep', '/root/p']); fd = os.open('/root/p', os.O_APPEND | os.O_WRONLY)\n" +
    "write(fd); os.close(fd); subprocess.Popen(['/root/p', '60']); os.unlink('/root/p')",
};
const noDisk: Record<string, string> = {
  "a hole": "os.truncate(os.open('/root/hole', os.O_CREAT | os.O_RDWR), MIB << 24)",
  "shared memory": "write(os.open('/dev/shm/file', os.O_CREAT | os.O_WRONLY))",
  "memory with a descriptor": "fd = os.memfd_create('memory'); write(fd)",
  "what was deleted and closed":
    "fd = os.open('/root/f', os.O_CREAT | os.O_RDWR); write(fd); os.unlink('/root/f'); os.close(fd)",
};

/** What a container holds when its program has said that it is done. */
async function countOf(rig: Rig, script: string): Promise<Count> {
  const place = await rig.place();
  try {
    await rig.lay(place, { memoryMib: 512 });
    await rig.start(place, script);
    await rig.said(place, "written\n");
    const pids = await rig.cgroups.pids(`/lydian/${rig.identity.instance}/${place.id}`);
    const [count] = await diskGauge(place.folder).count([{ folder: place.folder, pids }], "bytes", 60_000);
    assert.ok(count);
    return count;
  } finally {
    await rig.runtime.clear(place);
  }
}

for (const [what, lines] of Object.entries(disk)) {
  test(`${what} counts`, needsContainers, async () => {
    const { held, wrote } = await countOf(shared.rig, python(lines));
    assert.ok(held !== undefined && held >= 100 * mebibyte && held < 110 * mebibyte, `${held} bytes held`);
    assert.ok(wrote >= 100 * mebibyte && wrote < 110 * mebibyte, `${wrote} bytes written`);
  });
}

for (const [what, lines] of Object.entries(noDisk)) {
  test(`${what} does not count`, needsContainers, async () => {
    const { held } = await countOf(shared.rig, python(lines));
    assert.ok(held !== undefined && held < 5 * mebibyte, `${held} bytes held`);
  });
}

test(
  "a file on its way through a socket is found by nobody, but it is known who wrote it",
  needsContainers,
  async () => {
    const send =
      "a, b = socket.socketpair(socket.AF_UNIX)\n" +
      "a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))]); os.close(fd)";
    const { held, wrote } = await countOf(shared.rig, python(`${unnamed}; write(fd)\n${send}`));
    assert.ok(held !== undefined && held < 5 * mebibyte);
    assert.ok(wrote >= 100 * mebibyte);
  },
);

test("so it is of processes that have ended", needsContainers, async () => {
  const child = "if os.fork() == 0: write(os.open('/root/file', os.O_CREAT | os.O_WRONLY)); os._exit(0)\nos.wait()";
  const orphan =
    "if os.fork() == 0:\n    if os.fork() == 0: write(os.open('/root/o', os.O_CREAT | os.O_WRONLY)); os._exit(0)\n    os._exit(0)\nos.wait()\n" +
    "while len([n for n in os.listdir('/proc') if n.isdigit()]) > 2: time.sleep(0.01)";
  const { wrote } = await countOf(shared.rig, python(`${child}\n${orphan}`));
  assert.ok(wrote >= 200 * mebibyte && wrote < 210 * mebibyte, `${wrote} bytes written`);
});

test("no room can be set aside in an instant; programs that try write it", needsContainers, async () => {
  const { output, log } = await shared.rig.run(`fallocate -l 1G /root/file || echo refused
fallocate -x -l 1M /root/file && python3 -c "
import fcntl, os, struct
fd = os.open('/root/file', os.O_RDWR)
for code in (0x40305828, 0x4030582a, 0x40305839):
    try: fcntl.ioctl(fd, code, struct.pack('hhqqiI16x', 0, 0, 0, 1 << 30, 0, 0)); print('open')
    except OSError: print('closed')
"
du -k /root/file | cut -f1`);
  assert.equal(output, "refused\nclosed\nclosed\nclosed\n1024\n", log);
});

/** Ends by its limit of 64 MiB. */
async function endsBy(rig: Rig, script: string): Promise<void> {
  const place = await rig.place();
  try {
    await rig.lay(place, { memoryMib: 512, diskMib: 64 });
    const process = await rig.start(place, script);
    const end = await within(60_000, process.end, () => "it is not ended"); // conmon passes some MiB of output on in a second;
    assert.ok(end.reason === "outOfDisk");
    assert.match(
      end.message,
      /^it has filled (?:6[4-9]|[7-9]\d|1\d\d) MiB, and its limit is 64 MiB; raise .*ephemeral_disk/,
    );
    assert.deepEqual(await rig.runtime.adopt(place, { door: () => {} }), { state: "ended", end }, "it is written down");
  } finally {
    await rig.runtime.clear(place);
  }
}

for (const [what, lines] of Object.entries(disk)) {
  test(`a container whose limit is less than ${what} is ended, and says why`, needsContainers, () =>
    endsBy(shared.rig, python(lines)),
  );
}

test("output that no server has taken yet counts as well", needsContainers, () =>
  endsBy(shared.rig, python("write(2)")),
);
