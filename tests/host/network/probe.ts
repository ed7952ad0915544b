/** Runs inside a namespace: tries to reach each target and prints what came of it, as JSON. */
import dgram from "node:dgram";
import net from "node:net";

export interface Target {
  readonly kind: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
  /** The source's address. */
  readonly from?: string;
  /** What to send. */
  readonly text?: string;
}

/** What the target said, or why it said nothing. */
export type Verdict = `said ${string}` | "refused" | "silent" | `failed ${string}`;

const patienceMs = 800;

function tcp({ address, port, from, text }: Target): Promise<Verdict> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port, ...(from === undefined ? {} : { localAddress: from }) });
    const end = (verdict: Verdict): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(verdict);
    };
    const timer = setTimeout(end, patienceMs, "silent");
    if (text !== undefined) socket.write(text);
    socket.on("data", (bytes) => end(`said ${bytes.toString().trim()}`));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      end(error.code === "ECONNREFUSED" ? "refused" : `failed ${error.code}`),
    );
  });
}

function udp({ address, port, from, text = "hello" }: Target): Promise<Verdict> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(net.isIPv6(address) ? "udp6" : "udp4");
    const end = (verdict: Verdict): void => {
      clearTimeout(timer);
      socket.close();
      resolve(verdict);
    };
    const timer = setTimeout(end, patienceMs, "silent");
    socket.on("message", (bytes) => end(`said ${bytes.toString().trim()}`));
    socket.on("error", (error: NodeJS.ErrnoException) => end(`failed ${error.code}`));
    socket.bind(from === undefined ? {} : { address: from }, () => socket.send(text, port, address));
  });
}

const targets = JSON.parse(process.argv[2] ?? "[]") as Target[];
const verdicts = await Promise.all(targets.map((target) => (target.kind === "tcp" ? tcp(target) : udp(target))));
process.stdout.write(JSON.stringify(verdicts));
