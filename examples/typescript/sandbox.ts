/**
 * Code that nobody vouches for, in a container of its own; then a Python function of another app says what it is worth.
 * Sandboxes are still to come: today this program type-checks, and says so when it runs.
 */
import { App, Func, Image, type Kwargs, kwargs, Sandbox } from "lydian";

const app = await App.lookup("agents", { createIfMissing: true });
const image = Image.debianSlim({ python: "3.13" }).pipInstall("pytest");
await using sandbox = await Sandbox.create({ app, image, timeout: "10m", blockNetwork: true });
await sandbox.filesystem.writeText("def test_ok():\n    assert 1 + 1 == 2\n", "/work/test_ok.py");
const run = await sandbox.exec(["pytest", "-q", "/work"], { timeout: "1m" });
for await (const text of run.stdout) process.stdout.write(text);
console.log("exit code", await run.wait());
await sandbox.snapshotFilesystem(); // an image for the next one

const score = Func.fromName<(passed: number[], named?: Kwargs<{ scale?: number }>) => number>("ml", "score");
console.log(await score.remote([1, 2, 3], kwargs({ scale: 10 })));
