/**
 * Calls apps/foreign.py with the public JavaScript client, whose folder is the first argument. It tells of each story in a
 * line, as apps/story.py does.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const clientFolder = `${process.argv[2]}/`;
const client = pathToFileURL(createRequire(clientFolder).resolve("modal")).href.replace(/\.cjs$/, ".js");
const {
  ModalClient,
  InvalidError,
  NotFoundError,
  RemoteError,
  FunctionTimeoutError,
  TimeoutError,
  QueueEmptyError,
  QueueFullError,
} = await import(client);

const modal = new ModalClient();
const echo = await modal.functions.fromName("foreign", "echo");
const act = await modal.functions.fromName("foreign", "act");

const told: Promise<void>[] = [];

function story(title: string, check: () => Promise<void>): void {
  const end = (how: string, why = ""): void => {
    console.log(`story ${JSON.stringify(title)} ${how} ${JSON.stringify(why)}`);
  };
  told.push(
    check().then(
      () => end("passed"),
      (error: unknown) => end("failed", error instanceof Error ? error.stack : String(error)),
    ),
  );
}

story("a call has its arguments by position and by name, and its result", async () => {
  const { args, kwargs } = await echo.remote([1, "two"], { three: [3] });
  assert.deepEqual([args, kwargs], [[1, "two"], { three: [3] }]);
});

story("a spawned call's result is fetched later, also by its id", async () => {
  const call = await echo.spawn([7]);
  assert.deepEqual((await call.get()).args, [7]);
  const again = await modal.functionCalls.fromId(call.functionCallId);
  assert.deepEqual((await again.get({ timeoutMs: 10_000 })).args, [7]);
});

story("a call is waited for in vain, and cancelled", async () => {
  const call = await act.spawn(["wait"]);
  await assert.rejects(call.get({ timeoutMs: 100 }), TimeoutError);
  await call.cancel();
  await assert.rejects(call.get(), (error: Error) => error instanceof RemoteError && /cancelled/.test(error.message));
});

story("a hundred calls run at a time", async () => {
  const numbers = Array.from({ length: 100 }, (_, number) => number);
  const found = await Promise.all(numbers.map((number) => echo.remote([number])));
  assert.deepEqual(
    found.map(({ args }) => args[0]),
    numbers,
  );
});

story("values are in Python what they are here, and come back", async () => {
  for (const [value, seen] of [
    [null, "None"],
    [true, "True"],
    [0, "0"],
    [-(2 ** 31), "-2147483648"],
    [2 ** 32 - 1, "4294967295"],
    [2n ** 63n, "9223372036854775808"],
    [-(2n ** 63n), "-9223372036854775808"],
    [0.1, "0.1"],
    [-Infinity, "-inf"],
    ["ünïcödé ☃ 😀\0", "'ünïcödé ☃ 😀\\x00'"],
    [[1, [2, []]], "[1, [2, []]]"],
    [{ a: { b: null } }, "{'a': {'b': None}}"],
    [Buffer.from([0, 255]), "b'\\x00\\xff'"],
  ]) {
    const found = await echo.remote([value]);
    assert.deepEqual([found.args[0], found.seen[0]], [value, seen]);
  }
  const day = new Date("2024-02-29T12:30:59.500Z");
  const { args, seen } = await echo.remote([day]);
  assert.match(seen[0], /^datetime\.datetime\(2024, 2, 29, 12, 30, 59, 500000, tzinfo=datetime\.timezone\.utc\)$/);
  assert.deepEqual(args[0], day);
});

story("values of Python arrive", async () => {
  const found = await act.remote(["values"]);
  assert.deepEqual(found.integers.map(BigInt), [
    ...[0n, -1n, 23n, 24n, 255n, 65536n, 2n ** 31n, 2n ** 53n, 2n ** 63n, -(2n ** 63n), 2n ** 64n],
    ...[2n ** 100n, -(2n ** 100n)],
  ]);
  const { integers: _, bytes, ...others } = found;
  assert.deepEqual(
    bytes.map((each: Buffer) => each.length),
    [0, 256],
  );
  assert.deepEqual(others, {
    none: null,
    booleans: [true, false],
    floats: [0.5, -1.5, 1e300, Infinity],
    text: ["", "ünïcödé ☃ 😀", "nul\0inside"],
    nested: { list: [1, [2, [3, []]]], dict: { a: { b: {} } } },
    tuple: [1, "two"],
    time: new Date("2024-02-29T12:30:59.500Z"),
  });
});

story("5 MiB go both ways, by blob", async () => {
  const sent = Buffer.alloc(5 * 1024 * 1024, "0123456789abcdef");
  const { args } = await echo.remote([sent]);
  assert.ok(sent.equals(args[0]));
  const call = await echo.spawn([sent.subarray(0, 100_000)]);
  assert.equal((await call.get()).args[0].length, 100_000);
});

story("a class has parameters of every type", async () => {
  const typed = await modal.cls.fromName("foreign", "Typed");
  const some = await typed.instance({ number: 5 });
  assert.deepEqual(await some.method("tell").remote([1]), [6, "ünïcödé ☃", false, Buffer.from([0, 255])]);
  const given = { number: -7, text: "", flag: true, data: new Uint8Array([1, 2]) };
  const other = await typed.instance(given);
  assert.deepEqual(await other.method("tell").remote([], { more: 2 }), [-5, "", true, Buffer.from([1, 2])]);
});

story("options make another pool of containers", async () => {
  const typed = await modal.cls.fromName("foreign", "Typed");
  const where = async (cls: typeof typed): Promise<string> =>
    (await cls.instance({ number: 1 })).method("where").remote();
  const usual = await where(typed);
  assert.equal(await where(typed), usual);
  assert.notEqual(await where(typed.withOptions({ timeoutMs: 20_000 })), usual);
  const hasty = await act.withOptions({ timeoutMs: 1_000 }).instance();
  await assert.rejects(hasty.remote(["wait"]), FunctionTimeoutError);
});

story("secrets are found, made from an object, given to variants, and deleted", async () => {
  const typed = await modal.cls.fromName("foreign", "Typed");
  const named = await modal.secrets.fromName("foreign", { requiredKeys: ["FOREIGN"] });
  const given = await modal.secrets.fromObject({ OBJECT: "an object's" });
  const variant = await typed.withOptions({ secrets: [named, given] }).instance({ number: 1 });
  assert.deepEqual(await variant.method("see").remote(["FOREIGN", "OBJECT"]), ["a name's", "an object's"]);
  await assert.rejects(modal.secrets.fromName("foreign", { requiredKeys: ["OTHER"] }), (error: Error) => {
    assert.ok(error instanceof NotFoundError);
    assert.match(error.message, /missing key\(s\): OTHER/);
    return true;
  });
  await assert.rejects(modal.secrets.fromName("nothing"), NotFoundError);
  const long = await modal.secrets.fromObject({ LONG: "x".repeat(131_072) });
  const refused = typed.withOptions({ secrets: [long] }).instance({ number: 1 });
  await assert.rejects(
    refused,
    (error: Error) => error instanceof InvalidError && /LONG is too long/.test(error.message),
  );
  await modal.secrets.delete("foreign-deleted");
  await assert.rejects(modal.secrets.delete("foreign-deleted"), NotFoundError);
  await modal.secrets.delete("foreign-deleted", { allowMissing: true });
});

story("a queue's items come out in order, by partitions, and are waited for", async () => {
  const queue = await modal.queues.ephemeral();
  await queue.put("first");
  await queue.putMany([2, { third: null }]);
  await queue.put("elsewhere", { partition: "other", partitionTtlMs: 60_000 });
  assert.deepEqual([await queue.len(), await queue.len({ total: true })], [3, 4]);
  const seen: unknown[] = [];
  for await (const item of queue.iterate()) seen.push(item);
  assert.deepEqual(seen, ["first", 2, { third: null }]);
  assert.deepEqual([await queue.get(), await queue.getMany(5)], ["first", [2, { third: null }]]);
  await assert.rejects(queue.get({ timeoutMs: 100 }), QueueEmptyError);
  const waiting = queue.get();
  await queue.put("came");
  assert.equal(await waiting, "came");
  await queue.clear({ all: true });
  assert.equal(await queue.len({ total: true }), 0);
  await queue.putMany(Array(5_000).fill(0));
  await assert.rejects(queue.put(1, { timeoutMs: 100 }), QueueFullError);
  queue.closeEphemeral();
});

story("a queue is shared with Python by its name", async () => {
  const queue = await modal.queues.fromName(`foreign-js-${process.pid}`, { createIfMissing: true });
  await queue.put([1, "two"]);
  const typed = await modal.cls.fromName("foreign", "Typed");
  await (await typed.instance({ number: 1 })).method("pass_on").remote([queue.name]);
  assert.deepEqual(await queue.get(), { answer: "[1, 'two']" });
  await modal.queues.delete(queue.name);
  await assert.rejects(modal.queues.fromName(queue.name), NotFoundError);
  await modal.queues.delete(queue.name, { allowMissing: true });
});

story("an exception is told by its type and words", async () => {
  await assert.rejects(act.remote(["fail"]), (error: Error) => {
    assert.ok(error instanceof RemoteError);
    assert.match(error.message, /ValueError\('as it was asked to'\)/);
    return true;
  });
});

story("a result that is no CBOR is told", async () => {
  await assert.rejects(act.remote(["not CBOR"]), /[Cc][Bb][Oo][Rr]/);
});

story("names that do not exist are said to be none", async () => {
  await assert.rejects(modal.functions.fromName("foreign", "nothing"), NotFoundError);
  await assert.rejects(modal.functions.fromName("foreing", "echo"), NotFoundError);
  await assert.rejects(modal.cls.fromName("foreign", "Nothing"), NotFoundError);
  await assert.rejects(modal.functionCalls.fromId("fc-nothing"), /fc-nothing does not exist/);
});

story("its containers are counted, and their number is set", async () => {
  await echo.remote([]);
  const { numTotalRunners } = await echo.getCurrentStats();
  assert.equal(numTotalRunners, 1);
  const settings = await echo.updateAutoscaler({ scaledownWindowMs: 30_000 });
  assert.equal(settings.scaledownWindowMs, 30_000);
  await assert.rejects(echo.updateAutoscaler({ minContainers: 5, maxContainers: 2 }), /cannot keep 5 containers/);
});

await Promise.all(told);
modal.close();
