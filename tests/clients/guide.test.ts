/** The examples, among them the snippets of the guide that ask for nothing that is still to come: each runs as it says. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";

import { dotenv, modal, platformOfFile, repositoryRoot, runLydian, testEachClient } from "@lydian/testkit";

import { outcomesOf } from "./stories.ts";

const folder = "examples/python";

interface Example {
  /** In this order. */
  prints: readonly string[];
  args?: readonly string[];
  needs?: "runc";
  /** Run in its own folder. */
  inside?: true;
  /** What `modal secret create` is to be given before. */
  secrets?: readonly (readonly string[])[];
}

const examples: Record<string, Example> = {
  "hello.py": { prints: ["Hello World!"] },
  "dict_and_queue.py": { prints: ["[('eleven', 6), ('one', 3), ('three', 5)]"] },
  "guide/quick_start.py": { prints: ["Hello World!"] },
  "guide/app_structure.py": { prints: ["Hello World"] },
  "guide/decorators.py": { prints: ["Hello Ada! That is 10 characters."], args: ["--name", "Ada"] },
  "guide/local_files/app.py": { prints: ["Hello from a folder", "color: blue"], needs: "runc" }, // it has files beside /root
  "guide/images/app.py": {
    prints: [
      "packages: 1.16.0",
      "programs: True",
      "variables: 6443 /models",
      "commands: installed",
      "files: /app/config.yaml /app/src/tool.txt",
      "all together: 1.16.0 True ['small.bin']",
    ],
    needs: "runc",
  },
  "guide/missing_package.py": {
    prints: ["Without the package: No module named 'iniconfig'", "With it: 2.0.0"],
    needs: "runc",
  },
  "guide/lifecycle_hooks.py": {
    prints: ["prediction for a cat", "prediction for a dog", "The model is cleaned up."],
  },
  "guide/function_configuration.py": { prints: ["True in at most 10 containers: True"] },
  "guide/secrets_in_code.py": {
    prints: ["Secrets loaded"],
    secrets: [
      ["openai-secret", "OPENAI_API_KEY=sk-1"],
      ["aws-credentials", "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=key"],
    ],
  },
  "guide/secrets_from_files/app.py": { prints: ["app:secret123 with sk-..."], inside: true },
  "guide/secrets_not_available.py": {
    prints: ["Without the secret: KeyError('API_KEY')", "With it: sk-2"],
    secrets: [["my-secret", "API_KEY=sk-2"]],
  },
  "guide/volumes.py": {
    prints: [
      "weights: 1000",
      "from outside: from here",
      "a reload with open files is refused: True and once they are closed it shows: new",
    ],
    needs: "runc",
  },
  "guide/volume_not_persisting.py": {
    prints: ["Without a commit others see it: False", "With it: True"],
    needs: "runc",
  },
  "guide/checkpoints.py": {
    prints: [
      "Training complete: from epoch 0 to [105, 106]",
      "Kept: ['epoch_0.json', 'epoch_10.json']",
      "Training complete: from epoch 11 to [300, 301]",
      "Kept: ['epoch_0.json', 'epoch_10.json', 'epoch_20.json']",
    ],
    needs: "runc",
  },
  "guide/scheduled_pipeline.py": {
    prints: ["Processed 3 records"],
    needs: "runc",
    secrets: [["database-creds", "DB_URL=postgres://here"]],
  },
  "guide/scheduling.py": { prints: ["Running every 5 hours"], args: ["::hourly_job"] },
  "guide/debugging.py": { prints: ["2 prices", "They cost 3.75"] },
  "guide/batch_processing.py": { prints: ["Processed 10000 items"] },
  "guide/map_reduce.py": { prints: ["Result: 333332833333500000"] },
};

/** Asked, not run: tests/soak/guide.test.ts. */
const served = ["web_endpoints.py", "model_serving.py", "rate_limited_api.py"];

// Before the first test: the run of a file may end with the tests that it has by then.
const platform = await platformOfFile();

test("every example has a test", () => {
  const files = globSync("**/*.py", { cwd: join(repositoryRoot, folder) });
  const all = [...Object.keys(examples), ...served.map((name) => `guide/${name}`)];
  assert.deepEqual(files.sort(), all.sort());
});

/** Arguments that begin with a function's name belong to the file's. */
function referring(path: string, [first = "", ...rest]: readonly string[]): string[] {
  return first.startsWith("::") ? [`${path}${first}`, ...rest] : [path, ...(first === "" ? [] : [first]), ...rest];
}

for (const [file, { prints, args = [], needs, inside, secrets = [] }] of Object.entries(examples)) {
  if (needs !== undefined && needs !== platform.runtime) continue;
  testEachClient(file, async (version) => {
    for (const given of secrets) {
      await using create = modal(platform, version, ["secret", "create", "--force", ...given]);
      await create.finishWith(0);
    }
    const path = join(repositoryRoot, folder, file);
    const options = { env: { PYTHONPATH: dotenv.path }, ...(inside && { cwd: dirname(path) }) };
    await using run = modal(platform, version, ["run", ...referring(inside ? basename(path) : path, args)], options);
    const lines = (await run.finishWith(0)).split("\n");
    assert.deepEqual(
      lines.filter((line) => prints.includes(line)),
      prints,
      run.output,
    );
  });
}

testEachClient("a class loads once per container and cleans up at its end", async (version) => {
  await using run = modal(platform, version, ["run", `${folder}/guide/lifecycle_hooks.py`]);
  const output = await run.finishWith(0);
  assert.equal(output.match(/^The model is loaded\.$/gm)?.length, 1, output);
  assert.equal(output.match(/^The model is cleaned up\.$/gm)?.length, 1, output);
});

testEachClient("the guide's schedules are known once they are deployed, and can be run by hand", async (version) => {
  await using deploy = modal(platform, version, ["deploy", `${folder}/guide/scheduling.py`]);
  await deploy.finishWith(0);
  await using list = runLydian(["schedule", "list", "--data", platform.data]);
  const listed = await list.finishWith(0);
  const rules = {
    hourly_job: "every 5 hours",
    daily_job: "every 1 day",
    frequent_job: "every 30 minutes",
    monday_report: 'by cron "0 8 * * 1" in UTC',
    nightly_cleanup: 'by cron "0 0 * * *" in UTC',
    frequent_check: 'by cron "*/15 * * * *" in UTC',
  };
  for (const [name, rule] of Object.entries(rules)) {
    const line = listed.split("\n").find((each) => each.startsWith("scheduling") && each.includes(` ${name} `));
    assert.ok(line?.includes(rule), listed);
  }
  await using now = runLydian(["schedule", "run", "scheduling::monday_report", "--data", platform.data]);
  await now.finishWith(0);
  const follow = version.startsWith("1.3.") ? [] : ["-f"];
  await using log = modal(platform, version, ["app", "logs", ...follow, "scheduling"]);
  await log.sees("Weekly report\n");
});

/** But `modal setup`, `token set` and `serve`, which environments.test.ts and web.test.ts tell. */
testEachClient("the guide's common commands", async (version) => {
  const yes = ["--yes"];
  const script = `${folder}/guide/quick_start.py`;
  const isOld = version.startsWith("1.3.");
  const { said } = await outcomesOf(platform, version, {
    ran: ["run", script],
    deployed: ["deploy", script],
    "deployed under a name": ["deploy", "--name", "my-scheduled-job", script],
    "secret made": ["secret", "create", "name", "KEY=value"],
    secrets: ["secret", "list"],
    "secret deleted": ["secret", "delete", "name", ...yes],
    "volume made": ["volume", "create", "name"],
    volumes: ["volume", "list"],
    "volume deleted": ["volume", "delete", "name", ...yes],
    apps: ["app", "list"],
    logs: isOld ? ["app", "list"] : ["app", "logs", "my-app"], // the old one follows a log until its app stops
    stopped: ["app", "stop", "my-app", ...(isOld ? [] : yes)],
  });
  assert.match(said("ran"), /Hello World!/);
  for (const what of ["deployed", "deployed under a name"]) assert.match(said(what), /App deployed/);
  for (const what of ["secret made", "secret deleted", "volume made", "volume deleted", "stopped"]) said(what);
  for (const what of ["secrets", "volumes"]) assert.match(said(what), /name/);
  assert.match(said("apps"), /my-app[^]*my-scheduled-job|my-scheduled-job[^]*my-app/);
  said("logs");
});
