/** An app: functions that are defined, run and deployed together. */
import { ModalClient } from "@lydian/contract";

import type { Batching, AppDefaults, FunctionOptions, WebOptions } from "./options.ts";
import { checkClass, type Constructor, enterInstance, exit, methodsIn, parametersOf } from "./class-definition.ts";
import { type FoundClass, type RemoteInstance, remoteClass } from "./cls.ts";
import { type Definition, nameAll, remember, siteOfCaller, tagOf } from "./definition.ts";
import { InvalidError } from "./errors.ts";
import type { Fields, FieldValues } from "./fields.ts";
import type { Func, Handler, Unbatched } from "./func.ts";
import { FunctionHandle } from "./function-handle.ts";
import { liveFunction } from "./live.ts";
import { type FetchHandler, handlerOf, type WebTarget } from "./web.ts";
import type { RunOptions, DeployOptions, Deployment } from "./publish/index.ts";

/** How many requests a container takes at a time. */
const webConcurrency = 100;

/** A function that answers web requests. */
export interface WebFunction {
  /** The handler, here: `await api.local(new Request("http://localhost/health"))`. */
  readonly local: FetchHandler;
  /** Where the platform serves it, while its app is there. */
  getWebUrl(): Promise<string>;
}

/** What `lydian run` starts: code that runs here and calls what runs elsewhere. */
export interface Entrypoint {
  readonly kind: "entrypoint";
  readonly fields: Fields;
}

type Parameters<C extends Constructor> =
  ConstructorParameters<C> extends [infer P, ...unknown[]]
    ? Partial<P> extends P
      ? [parameters?: P]
      : [parameters: P]
    : [];

/** A class whose instances are in containers: `new` makes a handle of one. */
export interface RemoteClass<C extends Constructor> {
  new (...parameters: Parameters<C>): RemoteInstance<InstanceType<C>>;
}

/** A class of an app. */
export interface DefinedClass<C extends Constructor> extends RemoteClass<C> {
  /** An instance here, after its `[enter]`; `await using` runs its `[exit]`. */
  local(...parameters: Parameters<C>): Promise<InstanceType<C> & AsyncDisposable>;
}

type ListHandler = (...args: never[]) => readonly unknown[] | Promise<readonly unknown[]>;

export class App {
  readonly name: string;
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
    this.name = name;
    this.defaults = defaults;
  }

  /**
   * Defines a function. Its name is the one that the module exports it under, or `options.name`. With `batched` the handler
   * takes lists, and each call of it several inputs.
   */
  function<F extends Handler>(fn: F): Func<F>;
  function<F extends ListHandler, const N extends string = string>(
    options: FunctionOptions & { batched: Batching; name?: N },
    fn: F,
  ): Func<Unbatched<F>, N>;
  function<F extends Handler, const N extends string = string>(
    options: FunctionOptions & { name?: N; batched?: never },
    fn: F,
  ): Func<F, N>;
  function(...given: [Handler] | [FunctionOptions & { batched?: Batching }, Handler]): unknown {
    const [{ batched, ...options }, handler] = given.length === 1 ? [{} as { batched?: Batching }, given[0]] : given;
    if (typeof handler !== "function")
      throw new InvalidError("app.function takes a function, after its options if there are any");
    const definition: Definition = {
      kind: "function",
      owner: this,
      options,
      handler,
      batched,
      web: undefined,
      site: siteOfCaller(),
      name: (options as FunctionOptions).name,
    };
    this.#functions.push(definition);
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
   * `[enter]`. `class extends params({ … })` has parameters; each set of them has containers of its own.
   */
  cls<C extends Constructor>(cls: C): DefinedClass<C>;
  cls<C extends Constructor>(options: FunctionOptions, cls: C): DefinedClass<C>;
  cls(...given: [Constructor] | [FunctionOptions, Constructor]): unknown {
    const [options, constructor] = given.length === 1 ? [{}, given[0]] : given;
    checkClass(constructor);
    const site = siteOfCaller();
    const handler = constructor as unknown as Handler;
    const definition: Definition = {
      kind: "class",
      owner: this,
      options,
      handler,
      batched: undefined,
      web: undefined,
      site,
      name: options.name,
    };
    this.#functions.push(definition);
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
    const [all, target] = given.length === 1 ? [{} as FunctionOptions & WebOptions, given[0]] : given;
    const { label, customDomains, requiresProxyAuth, ...asked } = all;
    const options: FunctionOptions = { concurrent: { maxInputs: webConcurrency }, ...asked };
    const web: WebOptions = {
      ...(label !== undefined && { label }),
      ...(customDomains && { customDomains }),
      ...(requiresProxyAuth !== undefined && { requiresProxyAuth }),
    };
    const local = handlerOf(target);
    const definition: Definition = {
      kind: "function",
      owner: this,
      options,
      handler: local,
      batched: undefined,
      web,
      site: siteOfCaller(),
      name: options.name,
    };
    this.#functions.push(definition);
    const getWebUrl = async (): Promise<string> => {
      const { client, functionId } = await this.#find(definition);
      return (await client.ask(ModalClient.method.functionGetById, { functionId })).handleMetadata?.webUrl ?? "";
    };
    const handle: WebFunction = { local, getWebUrl };
    remember(handle, definition);
    return handle;
  }

  /** What `lydian run` starts. `flags` are its command line: `{ name: "World", times: 3 }` has --name and --times. */
  localEntrypoint(fn: () => unknown): Entrypoint;
  localEntrypoint<const S extends Fields>(flags: S, fn: (flags: Widened<FieldValues<S>>) => unknown): Entrypoint;
  localEntrypoint(...given: [Handler] | [Fields, Handler]): Entrypoint {
    const [fields, handler] = given.length === 1 ? [{}, given[0]] : given;
    const definition: Definition = {
      kind: "entrypoint",
      owner: this,
      options: {},
      handler,
      batched: undefined,
      web: undefined,
      site: siteOfCaller(),
      name: undefined,
    };
    this.#entrypoints.push(definition);
    const entrypoint: Entrypoint = { kind: "entrypoint", fields };
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
    const { runApp } = await import("./publish/index.ts");
    return await runApp(this, options);
  }

  /** Puts it under its name, in the place of an earlier one, and leaves it there. */
  async deploy(options: DeployOptions = {}): Promise<Deployment> {
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

  async #findClass(definition: Definition, constructor: Constructor): Promise<FoundClass> {
    if (definition.name === undefined) await nameAll([definition]);
    const { client, appId, functionId } = liveFunction(this, this.name, tagOf(definition));
    return { client, appId, functionId, info: parametersOf(constructor), methods: methodsIn(constructor) };
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

/** @internal */
export function isGenerator({ handler, options }: Pick<Definition, "handler" | "options">): boolean {
  return options.isGenerator ?? handler.constructor.name.endsWith("GeneratorFunction");
}
