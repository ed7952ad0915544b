/** What a Python in an image must be able to do, asked of it itself. */
import type { PrivateRoot } from "./private-root.ts";

/** The modules that lean on shared libraries, so an image that lacks one is found when it is made. */
const script = `
import sys
import ssl, ctypes, sqlite3, bz2, lzma, zlib, readline, curses, uuid, hashlib, socket, venv, ensurepip
ssl.create_default_context()
sqlite3.connect(":memory:").execute("select 1")
import pip
print("%d.%d.%d" % sys.version_info[:3])
`;

/** Answers the whole version, such as "3.11.7"; rejects with what it printed when it is not fit. */
export async function checkPython(root: PrivateRoot, signal: AbortSignal): Promise<string> {
  const command = ["/usr/local/bin/python", "-I", "-c", script] as const;
  return (await root.run(command, { name: "the check of the image's Python", signal })).trim();
}
