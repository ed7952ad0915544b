/** An app: functions that are defined, run and deployed together. */
import { ModalClient, ObjectCreationType } from "@lydian/contract";

import { appKinds, checkOptions, functionKinds, webKinds } from "./option-kinds.ts";
import type { AppDefaults, Batching, FunctionOptions, WebOptions } from "./options.ts";
import { checkClass, type Constructor, enterInstance, exit, methodsIn, parametersOf } from "./class-definition.ts";
import { Client } from "./client/client.ts";
import { type ClassMethods, type DefinedClass, type FoundClass, type NoOtherMethods, remoteClass } from "./cls.ts";
import { type Definition, formatSite, nameAll, remember, siteOfCaller, tagOf } from "./definition.ts";
import { type Duration, seconds } from "./duration.ts";
import { InvalidError } from "./errors.ts";
import type { Fields, FieldValues } from "./fields.ts";
import type { Func, Handler, Unbatched } from "./func.ts";
import { FunctionHandle } from "./function-handle.ts";
import { liveFunction, refuseInContainer } from "./live.ts";
import type { NameOptions } from "./objects/place.ts";
import { checked, isSchema, type SchemaInput, type SchemaOutput, type StandardSchema } from "./standard-schema.ts";
import { type FetchHandler, handlerOf, type WebTarget } from "./web/handler.ts";
import { proxyTo } from "./web/proxy.ts";
import type { RunOptions, DeployOptions, Deployment } from "./publish/index.ts";

/** How many requests a container takes at a time. */
const webConcurrency = 100;
/** Until a server listens, in seconds. */
const usualServerStart = 5;

/** A function that answers web requests. */
export interface WebFunction {
  /** The handler, here: `await api.local(new Request("http://localhost/health"))`. */
  readonly local: FetchHandler;
  /** Where the platform serves it, while its app is there. */
  getWebUrl(): Promise<string>;
}

/** What `lydian run` starts: code that runs here and calls what runs elsewhere. */
export interface Entrypoint {
  /** Tells it from functions. */
  readonly kind: "entrypoint";
  /** Its flags, with their defaults. */
  readonly fields: Fields;
}

/** What `webServer` takes: the options of a function and of a web function, and where its server listens. */
export interface ServerFunctionOptions extends FunctionOptions, WebOptions {
  /** Where the server listens, in its container. */
  port: number;
  /** From the call of `start` until it listens; 5 s unless it is given. */
  startupTimeout?: Duration;
}

type ListHandler = (...args: never[]) => readonly unknown[] | Promise<readonly unknown[]>;

/** What a definition has of its own; the rest is the same for all. */
type Given = Pick<Definition, "kind" | "handler"> & Partial<Omit<Definition, "owner" | "site">>;

/** Functions, classes and web functions that are run and deployed together. Making one does nothing on a platform. */
export class App {
  /** What it is deployed under, and found by. */
  readonly name: string;
  /** What its functions have unless their own options say otherwise. */
  readonly defaults: AppDefaults;
  readonly #functions: Definition[] = [];
  readonly #entrypoints: Definition[] = [];
  readonly #included: App[] = [];

  /** `defaults`: what all its functions have unless they say otherwise. */
  constructor(name: string, defaults: AppDefaults = {}) {
    if (!/^[A-Za-z0-9._-]{1,63}$/.test(name)) {
      throw new InvalidError(`${JSON.stringify(name)} is no name of an app`, {
        hint: "it has letters, digits, dashes, dots and underscores, 63 at most",
      });
    }
    checkOptions(defaults, appKinds, `app ${JSON.stringify(name)}`);
    this.name = name;
    this.defaults = defaults;
  }

  /** The deployed app of this name, by its id. With `createIfMissing` an empty one where there is none. */
  static async lookup(
    name: string,
    { createIfMissing = false, ...options }: NameOptions & { createIfMissing?: boolean } = {},
  ): Promise<{ readonly name: string; readonly appId: string }> {
    const client = options.client ?? Client.usual();
    const { appId } = await client.ask(ModalClient.method.appGetOrCreate, {
      appName: name,
      environmentName: options.environment ?? client.environment,
      objectCreationType: createIfMissing ? ObjectCreationType.CREATE_IF_MISSING : ObjectCreationType.UNSPECIFIED,
    });
    return { name, appId };
  }

  /**
   * Defines a function. Its name is the one that the module exports it under, or `options.name`. With `batched` the handler
   * takes lists, and each call of it several inputs. With `input`, a schema of any library that speaks Standard Schema, it is
   * given what that makes of its one argument.
   */
  function<F extends Handler>(fn: F): Func<F>;
  function<F extends ListHandler, const N extends string = string>(
    options: FunctionOptions & { batched: Batching; name?: N },
    fn: F,
  ): Func<Unbatched<F>, N>;
  function<S extends StandardSchema, R, const N extends string = string>(
    options: FunctionOptions & { input: S; name?: N; batched?: never },
    fn: (input: SchemaOutput<S>) => R,
  ): Func<(input: SchemaInput<S>) => R extends AsyncGenerator | Generator ? R : Promise<Awaited<R>>, N>;
  function<F extends Handler, const N extends string = string>(
    options: FunctionOptions & { name?: N; batched?: never; input?: never },
    fn: F,
  ): Func<F, N>;
  function(
    ...given: [Handler] | [FunctionOptions & { batched?: Batching | undefined; input?: unknown }, Handler]
  ): unknown {
    const [{ batched, input, ...options }, fn] =
      given.length === 1 ? [{} as { batched?: Batching; input?: unknown }, given[0]] : given;
    if (typeof fn !== "function")
      throw new InvalidError("app.function takes a function, after its options if there are any");
    const handler = input === undefined ? fn : checking(input, fn, options);
    const definition = this.#define({ kind: "function", handler, options, batched }, siteOfCaller());
    const handle = new FunctionHandle({
      name: () => definition.name ?? "",
      local: handler,
      isGenerator: isGenerator(definition),
      find: () => this.#find(definition),
    });
    remember(handle, definition);
    return handle;
  }

  /**
   * Defines a class whose instances live in containers: its public methods are called from elsewhere, and run after its
   * `[enter]`. `class extends params({ … })` has parameters; each set of them has containers of its own. `methods` says which of
   * them take lists (`{ embed: { batched: { maxBatchSize: 64, waitMs: 20 } } }`) or answer web requests.
   */
  cls<C extends Constructor>(cls: C): DefinedClass<C>;
  cls<C extends Constructor, const M extends ClassMethods<InstanceType<C>> = object>(
    options: FunctionOptions & { methods?: M & NoOtherMethods<M, InstanceType<C>> },
    cls: C,
  ): DefinedClass<C, M>;
  cls(...given: [Constructor] | [FunctionOptions & { methods?: Definition["methods"] }, Constructor]): unknown {
    const [{ methods = {}, ...options }, constructor] = given.length === 1 ? [{ methods: {} }, given[0]] : given;
    checkClass(constructor, methods);
    const handler = constructor as unknown as Handler;
    const definition = this.#define({ kind: "class", handler, options, methods }, siteOfCaller());
    const handle = remoteClass(
      () => definition.name ?? "",
      () => this.#findClass(definition, constructor),
    );
    const local = async (parameters: Readonly<Record<string, unknown>> = {}): Promise<object> => {
      const instance = await enterInstance(constructor, parameters);
      if (!(exit in instance)) Object.defineProperty(instance, exit, { value: async () => {} });
      return instance;
    };
    remember(handle, definition);
    return Object.assign(handle, { local });
  }

  /**
   * Defines a function that answers web requests: `target` is a fetch handler, anything that has one, or makes either in the
   * container. A container takes 100 requests at a time unless `concurrent` says otherwise. `request.signal` aborts when the
   * caller leaves.
   */
  webEndpoint(target: WebTarget): WebFunction;
  webEndpoint(options: FunctionOptions & WebOptions, target: WebTarget): WebFunction;
  webEndpoint(...given: [WebTarget] | [FunctionOptions & WebOptions, WebTarget]): WebFunction {
    const [options, target] = given.length === 1 ? [{}, given[0]] : given;
    const local = handlerOf(target);
    return this.#web(this.#define({ kind: "function", handler: local, ...webPart(options) }, siteOfCaller()), local);
  }

  /**
   * Defines a function whose container serves HTTP by itself: `start` starts whatever listens on `options.port`, and may return
   * before that does. Requests and web sockets are handed on to it.
   */
  webServer(options: ServerFunctionOptions, start: () => unknown): WebFunction {
    const { port, startupTimeout = usualServerStart, ...rest } = options;
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new InvalidError(`port is ${port}, and has to be from 1 to 65535`);
    const server = { port, startupMs: seconds(startupTimeout, "startupTimeout") * 1000 };
    const given = { kind: "function" as const, handler: start, server, ...webPart(rest) };
    return this.#web(this.#define(given, siteOfCaller()), proxyTo(port));
  }

  /**
   * What `lydian run` starts. `flags` are its command line: `{ name: "World", times: 3 }` has --name and --times. A schema of any
   * library that speaks Standard Schema does as well.
   */
  localEntrypoint(fn: () => unknown): Entrypoint;
  localEntrypoint<S extends StandardSchema>(schema: S, fn: (flags: SchemaOutput<S>) => unknown): Entrypoint;
  localEntrypoint<const S extends Fields>(flags: S, fn: (flags: Widened<FieldValues<S>>) => unknown): Entrypoint;
  localEntrypoint(...given: [Handler] | [Fields | StandardSchema, Handler]): Entrypoint {
    const [flags, handler] = given.length === 1 ? [{}, given[0]] : given;
    const schema = isSchema(flags) ? flags : undefined;
    const definition = this.#define({ kind: "entrypoint", handler, schema }, siteOfCaller());
    const entrypoint: Entrypoint = { kind: "entrypoint", fields: schema === undefined ? (flags as Fields) : {} };
    remember(entrypoint, definition);
    return entrypoint;
  }

  /** The functions of another app are this one's, too. */
  include(other: App): this {
    this.#included.push(other);
    return this;
  }

  /** Runs it until what this answers is disposed of: `await using _ = await app.run()`. */
  async run(options: RunOptions = {}): Promise<AsyncDisposable> {
    refuseInContainer("app.run()");
    const { runApp } = await import("./publish/index.ts");
    return await runApp(this, options);
  }

  /** Puts it under its name, in the place of an earlier one, and leaves it there. */
  async deploy(options: DeployOptions = {}): Promise<Deployment> {
    refuseInContainer("app.deploy()");
    const { deployApp } = await import("./publish/index.ts");
    return await deployApp(this, options);
  }

  /** @internal With those that it includes. */
  get functions(): readonly Definition[] {
    return [...this.#functions, ...this.#included.flatMap((app) => app.functions)];
  }

  /** @internal With those that it includes. */
  get entrypoints(): readonly Definition[] {
    return [...this.#entrypoints, ...this.#included.flatMap((app) => app.entrypoints)];
  }

  /** @internal Itself, and those that it includes. */
  get all(): readonly App[] {
    return [this, ...this.#included.flatMap((app) => app.all)];
  }

  #define(given: Given, site: Definition["site"]): Definition {
    const nothing = { batched: undefined, web: undefined, server: undefined, methods: {}, schema: undefined };
    const options = given.options ?? {};
    const kinds = given.web === undefined ? functionKinds : webKinds;
    checkOptions({ ...options, ...given.web }, kinds, `the ${given.kind} at ${formatSite(site)}`);
    const definition: Definition = { ...nothing, name: options.name, ...given, options, owner: this, site };
    (given.kind === "entrypoint" ? this.#entrypoints : this.#functions).push(definition);
    return definition;
  }

  #web(definition: Definition, local: FetchHandler): WebFunction {
    const handle = new FunctionHandle({
      name: () => definition.name ?? "",
      local,
      isGenerator: false,
      find: () => this.#find(definition),
    });
    const web: WebFunction = { local, getWebUrl: () => handle.getWebUrl() };
    remember(web, definition);
    return web;
  }

  async #findClass(definition: Definition, constructor: Constructor): Promise<FoundClass> {
    if (definition.name === undefined) await nameAll([definition]);
    const { client, appId, functionId } = liveFunction(this, this.name, tagOf(definition));
    const methods = methodsIn(constructor, definition.methods);
    return { client, appId, functionId, info: parametersOf(constructor), methods };
  }

  async #find(definition: Definition): ReturnType<ConstructorParameters<typeof FunctionHandle>[0]["find"]> {
    if (definition.name === undefined) await nameAll([definition]);
    const name = definition.name ?? "";
    const { client, appId, functionId } = liveFunction(this, this.name, name);
    return { client, appId, functionId, name, isGenerator: isGenerator(definition), method: undefined };
  }
}

/** Literal defaults are values of their types. */
type Widened<T> = { [K in keyof T]: T[K] };

/** Options of a web function, apart from those of where it is found. */
function webPart(all: FunctionOptions & WebOptions): { options: FunctionOptions; web: WebOptions } {
  const { label, customDomains, requiresProxyAuth, ...asked } = all;
  const web: WebOptions = {
    ...(label !== undefined && { label }),
    ...(customDomains && { customDomains }),
    ...(requiresProxyAuth !== undefined && { requiresProxyAuth }),
  };
  return { options: { concurrent: { maxInputs: webConcurrency }, ...asked }, web };
}

/** The function behind a schema of its one argument. */
function checking(schema: unknown, fn: Handler, { isGenerator: generates }: FunctionOptions): Handler {
  if (!isSchema(schema)) {
    throw new InvalidError("input is no schema", {
      hint: "it takes schemas of libraries that speak Standard Schema: zod, valibot, arktype and others",
    });
  }
  const call = fn as (input: unknown) => unknown;
  if (generates ?? fn.constructor.name.endsWith("GeneratorFunction")) {
    return async function* (input: unknown) {
      yield* call(await checked(schema, input, "input")) as AsyncIterable<unknown>;
    };
  }
  return async (input: unknown) => await call(await checked(schema, input, "input"));
}

/** @internal */
export function isGenerator({ handler, options }: Pick<Definition, "handler" | "options">): boolean {
  return options.isGenerator ?? handler.constructor.name.endsWith("GeneratorFunction");
}
