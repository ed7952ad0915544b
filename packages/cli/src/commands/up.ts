/** `lydian up`: runs a platform in the foreground. */
import { constants } from "node:fs";
import { access, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { type LogLevel, PlatformError, createLogger, messageOf, randomText, systemClock } from "@lydian/kit";
import type { BucketKey, BucketSettings, LimitsInput, ServerConfigInput, TimesInput } from "@lydian/server";
import type { RegistrySettings, WorkerConfigInput } from "@lydian/worker";
import { InvalidArgumentError, Option } from "commander";

import { type CliCommand, UsageError, exitStatus } from "../command.ts";
import { contentOption, takeContentKey } from "../content-place.ts";
import { awaitPredecessors, claimDataFolder, writeRunning } from "../data-folder.ts";
import { ensureProfile, isWorkspaceName, loginName, ownerToken, sudoUser, workspaceFor } from "../identity.ts";
import type { ChildPlan } from "../kept-child.ts";
import { localAddress, numericHost, refuseOpenPort, urlOf } from "../listen-address.ts";
import { type DataLayout, defaultCacheFolder, isRoot, layoutOf, shellWord } from "../paths.ts";
import { prepareFolders } from "../privileges.ts";
import { type RuntimeName, settleRuntime } from "../runtime-choice.ts";
import { StopSignals } from "../stop-signals.ts";
import { secretsKeyVariable, takeMetricsToken, takeSecret } from "../given-secret.ts";
import { Supervisor, bindPort } from "../supervisor.ts";
import type { Terminal } from "../terminal.ts";
import {
  dataOption,
  noRegistry,
  parseCount,
  parseLimits,
  parseMebibytes,
  packageSettingsOption,
  parsePort,
  parseTimes,
  parseUrl,
  registryOption,
  runtimeOption,
} from "./options.ts";

export interface UpOptions {
  port: number;
  host: string;
  publicUrl?: string;
  webUrl?: string;
  customDomain?: string[];
  data?: string;
  runtime: RuntimeName;
  registry: RegistrySettings | typeof noRegistry;
  packageSettings: "on" | "off";
  content?: BucketSettings;
  diskReserve?: number;
  starters: number;
  bucketStore?: string[];
  label?: Record<string, string>;
  strictResources?: boolean;
  insecure?: boolean;
  tlsCert?: string;
  tlsKey?: string;
  workspace?: string;
  logLevel: LogLevel;
  traces?: string;
  times?: TimesInput;
  limits?: LimitsInput;
}

const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

/** The programs of the platform; tests put others in their place. */
export interface Programs {
  readonly server: string;
  readonly worker: string;
}

const ownPrograms: Programs = {
  server: fileURLToPath(import.meta.resolve("@lydian/server/main")),
  worker: fileURLToPath(import.meta.resolve("@lydian/worker/main")),
};

/** What the server is set to, beside where it is. */
const settingOptions = (): Option[] => [
  new Option("--times <json>", 'times of the server that differ from the defaults, such as {"appExpiry":60000} (ms)')
    .env("LYDIAN_TIMES")
    .argParser(parseTimes),
  new Option(
    "--limits <json>",
    'how much may be under way at a time, where it differs from the defaults, such as {"appContainers":8}',
  )
    .env("LYDIAN_LIMITS")
    .argParser(parseLimits),
  new Option(
    "--traces <url>",
    "a collector that takes OpenTelemetry's traces over HTTP, such as http://127.0.0.1:4318 (OTEL_EXPORTER_OTLP_HEADERS goes along)",
  )
    .env("LYDIAN_TRACES")
    .argParser(parseUrl),
  new Option("--log-level <level>", "what the processes log on stderr").choices(logLevels).default("info"),
];

export const upCommand = (programs: Programs = ownPrograms): CliCommand<UpOptions> => ({
  name: "up",
  summary: "start the platform on this machine",
  description:
    "Starts the platform and runs it in the foreground until Ctrl-C or SIGTERM: the server, which answers the clients, " +
    "and a worker, which runs functions in containers on this machine. Both are started again whenever they die. " +
    "The key that secrets are encrypted with is made in the data folder (server/secrets-key), unless LYDIAN_SECRETS_KEY has " +
    "one or LYDIAN_SECRETS_KEY_FILE names a file with one: 32 random bytes in base64. " +
    "LYDIAN_METRICS_TOKEN, or the file that LYDIAN_METRICS_TOKEN_FILE names, has a token that opens /metrics and nothing else.",
  options: [
    new Option("--port <port>", "the port to listen on; 0 takes a free one").default(8700).argParser(parsePort),
    new Option("--host <address>", "the address to listen on; one beyond loopback needs TLS or --insecure").default(
      "127.0.0.1",
    ),
    new Option(
      "--public-url <url>",
      "the address that clients are told, when it is another one (behind a proxy)",
    ).argParser(parseUrl),
    new Option(
      "--web-url <url>",
      "the address below which web functions are, such as https://apps.example.com (default: labels below localhost)",
    ).argParser(parseUrl),
    new Option(
      "--custom-domain <domain>",
      "a domain that web functions may have as their own; *.example.com for all of one; repeatable",
    ).argParser(parseDomain),
    dataOption(),
    runtimeOption(),
    registryOption(),
    packageSettingsOption(),
    contentOption(),
    new Option(
      "--disk-reserve <MiB>",
      "what containers leave free on the data folder's disk (default: 2 %, 1 to 10 GiB)",
    ).argParser(parseMebibytes),
    new Option(
      "--starters <count>",
      "containers that wait with the client loaded, of each kind in use, so that functions start sooner; 0: none",
    )
      .default(1)
      .argParser(parseCount),
    new Option(
      "--bucket-store <url>",
      "a store on this machine, such as http://127.0.0.1:9000, that functions may mount buckets of; they may of any that " +
        "containers reach; repeatable",
    ).argParser(parseStore),
    new Option(
      "--label <key=value>",
      "where this machine is, for functions that ask: region, cloud; repeatable",
    ).argParser(parseLabel),
    new Option(
      "--strict-resources",
      "refuse functions that ask for more than any worker has, instead of cutting them down",
    ),
    new Option("--insecure", "listen beyond loopback without TLS"),
    new Option("--tls-cert <file>", "certificate chain (PEM); with --tls-key"),
    new Option("--tls-key <file>", "private key of the certificate (PEM); with --tls-cert"),
    new Option("--workspace <name>", "the workspace's name (default: the login name)").argParser(parseWorkspace),
    ...settingOptions(),
  ],
  examples: [
    { line: "lydian up", effect: "listen on http://127.0.0.1:8700" },
    { line: "lydian up --port 0 --data ./try", effect: "a platform beside others, on a free port" },
    { line: "lydian up --runtime process", effect: "without containers and without isolation" },
    { line: "lydian up --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem", effect: "for other machines as well" },
  ],
  run: (options, terminal) => run(options, programs, terminal),
});

async function run(options: UpOptions, programs: Programs, terminal: Terminal): Promise<number> {
  const tls = await tlsFiles(options);
  const host = await numericHost(options.host);
  refuseOpenPort(host, { tls: tls !== undefined, insecure: options.insecure === true });
  const layout = layoutOf(options.data, terminal.env);
  using signals = new StopSignals(systemClock);
  await using held = new AsyncDisposableStack();
  held.use(await claimDataFolder(layout));
  await terminal.step("Waiting for the processes of an earlier platform to end", () => awaitPredecessors(layout));
  const port = bindPort(host, options.port);
  held.defer(() => port.close());
  const registry = options.registry === noRegistry ? undefined : options.registry;
  const runtime = await settleRuntime(
    {
      runtime: options.runtime,
      registry,
      packageSettings: options.packageSettings === "on",
      diskReserveMib: options.diskReserve,
      starters: options.starters,
      stores: options.bucketStore ?? [],
    },
    layout,
    terminal,
  );
  const address = { host: localAddress(host), port: port.address().port };
  const url = options.publicUrl ?? urlOf(host, address.port, tls !== undefined);
  const secretsKey = await takeSecret(terminal.env, secretsKeyVariable);
  const metricsToken = await takeMetricsToken(terminal.env);
  const contentKey = takeContentKey(terminal.env);
  const given = {
    options,
    programs,
    runtime,
    tls,
    layout,
    url,
    address,
    descriptor: port.fd(),
    secretsKey,
    metricsToken,
    contentKey,
    env: terminal.env,
  };
  const plans = await planChildren(given);
  await writeRunning(layout, { pid: process.pid, url });
  held.defer(() => rm(layout.running, { force: true }));
  const log = createLogger("supervisor", options.logLevel);
  const supervisor = new Supervisor(plans, { clock: systemClock, log, execArgv: process.execArgv });
  return await supervise(supervisor, signals, terminal, () => announce(terminal, layout, url));
}

/** From the first start to the end of both children. */
async function supervise(
  supervisor: Supervisor,
  signals: StopSignals,
  terminal: Terminal,
  onReady: () => void,
): Promise<number> {
  const end = async (): Promise<boolean> => {
    const closed = supervisor.close();
    void signals.kill.then(() => supervisor.kill());
    return await closed; // it waits for both to be gone
  };
  try {
    const started = terminal.step("Starting server and worker", () => supervisor.start());
    const ready = await Promise.race([started.then(() => true), signals.stop.then(() => false)]);
    if (ready) onReady();
    await signals.stop;
  } catch (error) {
    await end();
    throw error;
  }
  terminal.report("Stopping (Ctrl-C again kills at once)");
  const clean = await terminal.step("Waiting for functions and open calls to end", end);
  return clean ? exitStatus.ok : exitStatus.error;
}

interface ChildrenOptions {
  readonly options: UpOptions;
  readonly programs: Programs;
  readonly runtime: WorkerConfigInput["runtime"];
  readonly tls: { certificateFile: string; keyFile: string } | undefined;
  readonly layout: DataLayout;
  readonly url: string;
  /** How the worker reaches the server. */
  readonly address: { host: string; port: number };
  readonly descriptor: number;
  readonly secretsKey: ServerConfigInput["secretsKey"];
  readonly metricsToken: string | undefined;
  readonly contentKey: BucketKey | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** Makes folders and token ready, and answers what to start. The token is on disk before the server hears of it. */
async function planChildren(given: ChildrenOptions): Promise<{ server: ChildPlan; worker: ChildPlan }> {
  const { options, programs, layout, url } = given;
  const runAs = await prepareFolders(layout, isRoot());
  const profile = await ensureProfile(layout.profile, url, sudoUser(given.env));
  const workerSecret = randomText(43); // 256 bits; each supervisor has its own
  const shared = { workerSecret, logLevel: options.logLevel };
  const server: ServerConfigInput = {
    ...shared,
    data: layout.server,
    publicUrl: url,
    listenFd: 3,
    workspace: options.workspace ?? workspaceFor(loginName()),
    ownerToken: ownerToken(profile),
    ...(runAs && { runAs }),
    ...(options.times && { times: options.times }),
    ...(options.traces !== undefined && { traces: options.traces }),
    ...(options.limits && { limits: options.limits }),
    ...(given.tls && { tls: given.tls }),
    ...(given.secretsKey && { secretsKey: given.secretsKey }),
    ...(given.metricsToken !== undefined && { metricsToken: given.metricsToken }),
    ...(options.content && { content: options.content }),
    ...(given.contentKey && { contentKey: given.contentKey }),
    ...((options.webUrl ?? options.customDomain) && {
      web: { url: options.webUrl, customDomains: options.customDomain },
    }),
    ...(options.strictResources && { strictResources: true }),
  };
  const worker: WorkerConfigInput = {
    ...shared,
    data: layout.worker,
    cache: defaultCacheFolder(given.env),
    server: { ...given.address, takesConnections: true },
    runtime: given.runtime,
    ...(options.label && { labels: options.label }),
  };
  return {
    server: {
      name: "server",
      script: programs.server,
      configuration: server,
      descriptors: [given.descriptor],
      hasDependents: false,
    },
    worker: { name: "worker", script: programs.worker, configuration: worker, descriptors: [], hasDependents: true },
  };
}

/** One write: whoever waits for the first line has the others with it. */
function announce(terminal: Terminal, layout: DataLayout, url: string): void {
  // Who used sudo is another user when running clients, with another default.
  const option = sudoUser(terminal.env) === undefined ? layout.option : ` --data ${shellWord(layout.root)}`;
  const profile = `MODAL_CONFIG_PATH=${shellWord(layout.profile)}`;
  const lines = [
    `Lydian is ready at ${url}`,
    `  Run an app on it:                     ${profile} modal run app.py`,
    `  Or one in TypeScript:                 ${profile} lydian run app.ts`,
    `  Or make it the clients' own default:  lydian setup${option}`,
  ];
  terminal.print(lines.join("\n"));
}

async function tlsFiles(options: UpOptions): Promise<ChildrenOptions["tls"]> {
  const { tlsCert, tlsKey } = options;
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new UsageError("--tls-cert and --tls-key belong together", { hint: "give both, or neither" });
  }
  for (const file of [tlsCert, tlsKey]) {
    await access(file, constants.R_OK).catch((error: unknown) => {
      throw new PlatformError(`cannot read the TLS file ${file}: ${messageOf(error)}`, {
        hint: "give a PEM file",
        cause: error,
      });
    });
  }
  return { certificateFile: resolve(tlsCert), keyFile: resolve(tlsKey) };
}

function parseLabel(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, key, value] = /^([a-z][a-z0-9_-]*)=([\w.-]+)$/i.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return { ...before, [key]: value };
  throw new InvalidArgumentError("It has to be KEY=VALUE, such as region=eu-west.");
}

function parseStore(text: string, before: string[] = []): string[] {
  return [...before, parseUrl(text)];
}

function parseDomain(text: string, before: string[] = []): string[] {
  const domain = text.toLowerCase();
  if (/^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{1,63}$/.test(domain)) return [...before, domain];
  throw new InvalidArgumentError("It has to be a domain such as shop.example.com, or *.example.com.");
}

function parseWorkspace(text: string): string {
  if (isWorkspaceName(text)) return text;
  throw new InvalidArgumentError("A workspace's name has lower case letters, digits and single dashes (at most 40).");
}
