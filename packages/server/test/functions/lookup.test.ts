/** Functions and classes of deployed apps by their names; and what the errors say of what there is instead. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { stopApp } from "../../src/apps/stop.ts";
import { isFail } from "../../src/errors.ts";
import { findClass, findFunction } from "../../src/functions/lookup.ts";
import { testStore } from "../support/open-store.ts";
import { plantFunction } from "../support/rows.ts";

/** A deployed app with two functions and a class, as its publication named them. */
async function scene() {
  const test = await testStore();
  const ids = await test.does(async (tx, context) => {
    const hello = await plantFunction(tx, context, { state: "deployed" });
    const more = { ...hello, binding: undefined };
    const bye = { ...more, id: context.newId("fu"), name: "bye" };
    const model = { ...more, id: context.newId("fu"), name: "Model.*" };
    await tx.functions.put(bye);
    await tx.functions.put(model);
    const classId = context.newId("cs");
    await tx.classes.insert({ id: classId, appId: hello.appId });
    const app = await tx.apps.get(hello.appId);
    if (app === undefined) throw new Error("no app");
    const functionIds = { hello: hello.id, bye: bye.id, "Model.*": model.id };
    await tx.apps.update({ ...app, name: "shop", layout: { functionIds, classIds: { Model: classId } } });
    return { appId: app.id, hello: hello.id, model: model.id, classId };
  });
  const name = (tag: string, app = "shop", environment = "", version = 0) => ({ tag, app, environment, version });
  const whenClass = (message: string): Error => new Error(`hint: ${message}`);
  const findIn = (...of: Parameters<typeof name>) =>
    test.does((tx, context) => findFunction(tx, name(...of), whenClass, context));
  const classIn = (...of: Parameters<typeof name>) => test.does((tx, context) => findClass(tx, name(...of), context));
  return { ...test, ...ids, findIn, classIn, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() };
}

const says =
  (text: string) =>
  (error: unknown): boolean => {
    assert.ok(isFail(error, "notFound"));
    assert.equal(error.text, text);
    return true;
  };

describe("a function", () => {
  it("is found by its tag in the app that is deployed under the name, or has the id", async () => {
    await using it = await scene();
    assert.equal((await it.findIn("hello")).id, it.hello);
    assert.equal((await it.findIn("hello", "shop", "main")).id, it.hello);
    assert.equal((await it.findIn("hello", it.appId)).id, it.hello);
    const later = it.findIn("hello", "shop", "", 3);
    await assert.rejects(later, (error) => isFail(error, "notFound") && /has no version v3/.test(error.text));
    assert.equal((await it.findIn("Model.*")).id, it.model, "clients ask for a class's function by this");
  });

  it("that is not there names those that are, without the functions of classes", async () => {
    await using it = await scene();
    await assert.rejects(it.findIn("hullo"), says(`App "shop" has no function "hullo". There are: bye, hello.`));
  });

  it("of a class that is not there names the classes that are", async () => {
    await using it = await scene();
    await assert.rejects(it.findIn("Modell.*"), says(`App "shop" has no class "Modell". There are: Model.`));
  });

  it("that is a class says so in a way of the caller's choice", async () => {
    await using it = await scene();
    await assert.rejects(it.findIn("Model"), /^Error: hint: "Model" of app "shop" is a class\.$/);
  });

  it("of an app without any is not there, and nothing else is said", async () => {
    await using it = await scene();
    await it.does(async (tx) => {
      const app = await tx.apps.get(it.appId);
      if (app !== undefined) await tx.apps.update({ ...app, layout: { functionIds: {}, classIds: {} } });
    });
    await assert.rejects(it.findIn("hello"), says(`App "shop" has no function "hello".`));
  });
});

describe("a class", () => {
  it("is found with the function that holds its methods", async () => {
    await using it = await scene();
    const { id, record } = await it.classIn("Model");
    assert.deepEqual([id, record.id], [it.classId, it.model]);
  });

  it("that is not there, or is a function, names those that are", async () => {
    await using it = await scene();
    for (const tag of ["Modell", "hello", "Model.*"]) {
      await assert.rejects(it.classIn(tag), says(`App "shop" has no class "${tag}". There are: Model.`));
    }
  });
});

describe("an app", () => {
  const notDeployed = (app: string): string =>
    `App "${app}" is not deployed in environment "main". Deploy it with \`modal deploy\`.`;

  it("that is not deployed says so, and how it would be", async () => {
    await using it = await scene();
    await assert.rejects(it.findIn("hello", "shops"), says(notDeployed("shops")));
    await assert.rejects(it.classIn("Model", "ap-none"), says(notDeployed("ap-none")));
  });

  it("that was stopped is not deployed, by its name or id", async () => {
    await using it = await scene();
    await it.does(async (tx, context) => {
      const app = await tx.apps.get(it.appId);
      if (app !== undefined) await stopApp(tx, app, { reason: "x", graceMs: 0 }, context);
    });
    await assert.rejects(it.findIn("hello"), says(notDeployed("shop")));
    await assert.rejects(it.findIn("hello", it.appId), says(notDeployed(it.appId)));
  });

  it("in an environment that does not exist names those that do", async () => {
    await using it = await scene();
    await assert.rejects(
      it.findIn("hello", "shop", "prod"),
      says(`Environment "prod" does not exist. There are: main.`),
    );
  });
});
