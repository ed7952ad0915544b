/** A pair of pseudo-terminals of the host: one end for a program that wants a terminal, the other for whoever speaks with it. */
import { closeSync, constants, openSync } from "node:fs";
import { ReadStream } from "node:tty";

import { systemCall } from "../../layers/system-call.ts";
import type { Terminal } from "../runtime.ts";

const ioctl = systemCall("ioctl", ["long", "long", "void *"]);

/** Of asm-generic/ioctls.h. */
const requests = { TCGETS: 0x5401, TCSETS: 0x5402, TIOCSWINSZ: 0x5414, TIOCGPTN: 0x8004_5430, TIOCSPTLCK: 0x4004_5431 };

/** Offsets in struct termios, and the flags of its output: line ends go out as a terminal wants them, and nothing else. */
const termios = { size: 60, input: 0, output: 4, local: 12 };
const outputFlags = 1 | 4; // OPOST | ONLCR

export interface Pty extends Disposable {
  /** The program's end; closed by `release`, once the program has it. */
  readonly slave: number;
  /** What the program writes; and, written to, what it reads. Its end is an error: EIO. */
  readonly master: ReadStream;
  release(): void;
}

/** Nothing that is written to it comes back: echo is the affair of the terminal that the program has inside. */
export function openPty({ rows, columns }: Terminal): Pty {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = openSync("/dev/ptmx", flags);
  let slave: number | undefined;
  try {
    ioctl("/dev/ptmx", master, requests.TIOCSPTLCK, Buffer.alloc(4));
    const number = Buffer.alloc(4);
    ioctl("/dev/ptmx", master, requests.TIOCGPTN, number);
    const path = `/dev/pts/${number.readUInt32LE()}`;
    slave = openSync(path, flags);
    const settings = Buffer.alloc(termios.size);
    ioctl(path, slave, requests.TCGETS, settings);
    settings.writeUInt32LE(0, termios.input);
    settings.writeUInt32LE(outputFlags, termios.output);
    settings.writeUInt32LE(0, termios.local);
    ioctl(path, slave, requests.TCSETS, settings);
    const size = Buffer.alloc(8);
    size.writeUInt16LE(rows, 0);
    size.writeUInt16LE(columns, 2);
    ioctl(path, slave, requests.TIOCSWINSZ, size);
  } catch (error) {
    closeSync(master);
    if (slave !== undefined) closeSync(slave);
    throw error;
  }
  let open: number | undefined = slave;
  const release = (): void => {
    if (open !== undefined) closeSync(open);
    open = undefined;
  };
  const stream = new ReadStream(master);
  return {
    slave,
    master: stream,
    release,
    [Symbol.dispose]() {
      release();
      stream.destroy();
    },
  };
}
