/**
 * A warm starter of Node: waits in a container with the runner imported already, and becomes the program that it is told.
 *
 *     node starter.mjs RUNNER SOCKET
 *
 * It connects to the worker's socket when it is ready. The worker answers with one line of JSON: the `argv`, `env` and `cwd` of
 * the program, which is `node RUNNER`. The starter answers with a byte, and is the program from then on. A worker that goes away
 * first tells it to end. What Node would read otherwise if it were started now (its options, the libraries' settings) is not
 * guessed at: then this process starts Node anew, and only the time of the import is lost.
 */
import net from "node:net";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const readAtStart = /^(?:NODE_|UV_|LD_|MALLOC_|GLIBC_|LANG$|LC_|ICU_|OPENSSL_|SSL_)/;

const [runner, socketPath] = process.argv.slice(2);
const { main } = await import(pathToFileURL(runner).href);
for (const part of ["index.js", "web/index.js", "web/node.js"])
  await import(pathToFileURL(join(dirname(runner), part)).href);

const { argv, env, cwd } = await told();
process.chdir(cwd);
if (argv.length !== 2 || argv[1] !== runner || !isSameStart(env)) process.execve(argv[0], argv, env);
for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
Object.assign(process.env, env);
process.argv = [...argv];
await main();

/** Ends this process when the worker goes away without a word. */
async function told() {
  const worker = net.connect(socketPath);
  worker.setEncoding("utf8");
  worker.on("error", () => {}); // it is over then, and the loop below ends
  let line = "";
  for await (const piece of worker.iterator({ destroyOnReturn: false })) if ((line += piece).endsWith("\n")) break;
  if (!line.endsWith("\n")) {
    console.error("the worker went away before it had told what to run");
    process.exit(1);
  }
  await new Promise((resolve) => worker.end(".", resolve));
  return JSON.parse(line);
}

/** @param {NodeJS.ProcessEnv} env */
function isSameStart(env) {
  return readAtItsStart(env) === readAtItsStart(process.env);
}

/** @param {NodeJS.ProcessEnv} env */
function readAtItsStart(env) {
  const names = Object.keys(env).filter((name) => readAtStart.test(name));
  return JSON.stringify(names.toSorted().map((name) => [name, env[name]]));
}
