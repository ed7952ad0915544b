/** Web functions in a real browser: a documentation page of FastAPI, a web socket that is held, and Streamlit as a server of its own. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { missingClient, modal, newestClient, Platform, temporaryFolder, usualRuntime } from "@lydian/testkit";

import { app } from "../clients/stories.ts";
import { Browser, missingBrowser, type Stand } from "./browser.ts";

const skip =
  missingBrowser || (usualRuntime === "runc" ? missingClient(newestClient) : "images are made with containers");
const minutes = 60_000;
const run = promisify(execFile);

/** FastAPI's page asks a network of others for these; they are the same files, from npm. */
async function swagger(): Promise<Stand> {
  await using folder = await temporaryFolder();
  await run("npm", ["pack", "--silent", "swagger-ui-dist@5.29.0"], { cwd: folder.path });
  await run("tar", ["-xzf", "swagger-ui-dist-5.29.0.tgz"], { cwd: folder.path });
  const file = (name: string): Promise<Buffer> => readFile(join(folder.path, "package", name));
  return {
    "swagger-ui-bundle.js": { type: "text/javascript", body: await file("swagger-ui-bundle.js") },
    "swagger-ui.css": { type: "text/css", body: await file("swagger-ui.css") },
  };
}

describe("in a browser", { skip, timeout: 15 * minutes }, () => {
  let platform: Platform;
  let browser: Browser;
  const at = (label: string, path = "/", scheme = "http"): string =>
    `${scheme}://home--${label}.localhost:${new URL(platform.url).port}${path}`;

  before(async () => {
    platform = await Platform.start({ args: ["--workspace", "home", "--log-level", "warn"] });
    for (const file of [app("web.py"), "tests/soak/apps/streamlit_page.py"]) {
      await using deploy = modal(platform, newestClient, ["deploy", file]);
      await deploy.finishWith(0, 10 * minutes);
    }
    browser = await Browser.open(await swagger());
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  test("a documentation page of FastAPI shows its endpoint, and tries it", async () => {
    await browser.visit(at("ordered", "/docs"));
    await browser.sees(`document.querySelector(".opblock-summary-path")`);
    await browser.run(`document.querySelector(".opblock-summary-control").click()`);
    await browser.sees(`document.querySelector(".try-out__btn")`);
    await browser.run(`document.querySelector(".try-out__btn").click()`);
    await browser.sees(`document.querySelector("button.execute")`);
    await browser.run(`document.querySelector("button.execute").click()`);
    const status = `.live-responses-table tbody .response-col_status`;
    await browser.sees(`document.querySelector(${JSON.stringify(status)}).textContent.startsWith("200")`);
    assert.match(await browser.run(`document.querySelector(".live-responses-table").innerText`), /"got"/);
  });

  test("a web socket is held, and says what it hears after a long silence", async () => {
    await browser.visit(at("web-api", "/"));
    const socket = at("web-api", "/socket", "ws");
    await browser.run(`new Promise((resolve, reject) => {
      window.heard = [];
      window.socket = new WebSocket(${JSON.stringify(socket)}, ["second"]);
      socket.onmessage = ({ data }) => heard.push(data);
      socket.onclose = ({ code }) => heard.push("closed " + code);
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("no socket"));
    })`);
    await browser.run(`new Promise((resolve) => setTimeout(resolve, 70_000))`);
    await browser.run(`socket.send("still here")`);
    await browser.sees(`heard.some((text) => text === "STILL HERE")`);
    await browser.run(`socket.close(1000)`);
    await browser.sees(`heard.includes("closed 1000")`);
  });

  test("Streamlit shows its page, and goes on with what is typed", async () => {
    await browser.visit(at("page-streamlit"));
    await browser.sees(`document.body.innerText.includes("Hello all")`, 2 * minutes);
    await browser.sees(`document.querySelector("[data-testid=stTextInput] input")`);
    await browser.run(`(() => {
      const field = document.querySelector("[data-testid=stTextInput] input");
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, "you");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new FocusEvent("focusout", { bubbles: true }));
    })()`);
    await browser.sees(`document.body.innerText.includes("Hello you")`, minutes);
  });
});
