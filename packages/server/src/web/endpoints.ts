/** Which web endpoints a definition has, and under which host names: named when it is defined, found at each request. */
import { hash } from "node:crypto";

import { create } from "@bufbuild/protobuf";
import {
  type CustomDomainInfo,
  type Function,
  type MethodDefinition,
  type WebhookConfig,
  WebhookConfigSchema,
  WebhookType,
  type WebUrlInfo,
} from "@lydian/contract";

import { livingApp } from "../apps/known.ts";
import type { ServerConfig } from "../config.ts";
import { type App, type AppLayout, isAlive } from "../domain/app.ts";
import { addressesBell } from "../domain/bells.ts";
import type { Tx } from "../domain/store.ts";
import { mayHaveDomain, webBase, webLabel, type WebAddress } from "../domain/web-address.ts";
import { fail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";

/** What makes labels and addresses. */
export type EndpointSettings = Pick<ServerConfig, "publicUrl" | "web" | "workspace">;

interface Endpoint {
  /** Of a class; empty for a plain function. */
  method: string;
  /** What it is called in its app. */
  name: string;
  config: WebhookConfig;
}

/** While an app is not deployed its endpoints are set apart by this, where its client does not say another word. */
const usualSuffix = "dev";

/**
 * The definition with its endpoints' labels in place of their addresses (`addressed` completes them, as the platform may have
 * another address tomorrow), and the host names that are to be claimed.
 */
export async function nameEndpoints(
  tx: Tx,
  definition: Function,
  { appId, settings }: { appId: string; settings: EndpointSettings },
): Promise<{ definition: Function; addresses: Omit<WebAddress, "functionId">[] }> {
  const endpoints = endpointsOf(definition);
  if (endpoints.length === 0) return { definition, addresses: [] };
  const app = await livingApp(tx, appId);
  const environment = await environmentOf(tx, app);
  const addresses: Omit<WebAddress, "functionId">[] = [];
  const named = { ...definition, methodDefinitions: { ...definition.methodDefinitions } };
  for (const { method, name, config } of endpoints) {
    const suffix = isDeployed(app) ? "" : config.ephemeralSuffix || usualSuffix;
    const { workspace } = settings;
    const parts = { workspace, environment, app: app.name, function: name, label: config.requestedSuffix, suffix };
    const { text: host, truncated } = webLabel(parts, (text) => hash("sha256", text));
    const domains = isDeployed(app) ? config.customDomains.map((domain) => domain.name.toLowerCase()) : [];
    for (const domain of domains) refuseForeign(domain, name, settings);
    for (const each of [host, ...domains]) addresses.push({ host: each, method, guarded: config.requiresProxyAuth });
    const webUrlInfo = info(truncated, false);
    const of = definition.isServer
      ? { flashServiceUrls: [host] }
      : { webUrl: host, webUrlInfo, customDomainInfo: domains.map(domainInfo) };
    const known = definition.methodDefinitions[method];
    if (known === undefined) Object.assign(named, of);
    else named.methodDefinitions[method] = { ...known, ...of };
  }
  return { definition: named, addresses };
}

/** Those host names that other functions, which live, lose to this one. */
export async function takenAddresses(
  tx: Tx,
  functionId: string,
  addresses: readonly Omit<WebAddress, "functionId">[],
): Promise<ReadonlySet<string>> {
  const taken = new Set<string>();
  for (const { host } of addresses) {
    const owner = await findEndpoint(tx, host);
    if (owner !== undefined && owner.functionId !== functionId) taken.add(host);
  }
  return taken;
}

/** The functions of an app that is published have the host names in their definitions from now on, and no other. */
export async function claimAddresses(tx: Tx, layout: AppLayout): Promise<void> {
  tx.ring(addressesBell);
  for (const functionId of new Set(Object.values(layout.functionIds))) {
    const record = await tx.functions.get(functionId);
    if (record === undefined || record.definition.length === 0) continue;
    await tx.webAddresses.removeOf(functionId);
    for (const address of addressesIn(decodeDefinition(record))) await tx.webAddresses.put({ ...address, functionId });
  }
}

/** As `nameEndpoints` has named them. */
function addressesIn(definition: Function): Omit<WebAddress, "functionId">[] {
  return endpointsOf(definition).flatMap(({ method, config: { requiresProxyAuth: guarded } }) => {
    const { webUrl, customDomainInfo } = definition.methodDefinitions[method] ?? definition;
    const own = definition.isServer ? definition.flashServiceUrls : [webUrl];
    return [...own, ...customDomainInfo.map(({ url }) => url)].map((host) => ({ host, method, guarded }));
  });
}

/** Whose host name this is, if that is published and its app has not ended. */
export async function findEndpoint(tx: Tx, host: string): Promise<WebAddress | undefined> {
  const address = await tx.webAddresses.get(host);
  const target = address && (await tx.functions.target(address.functionId));
  const app = target && (await tx.apps.get(target.appId));
  if (app === undefined || !isAlive(app.state)) return undefined;
  return Object.values(app.layout.functionIds).includes(target?.id ?? "") ? address : undefined;
}

/** With whole addresses, for clients and containers. `taken`: labels that others had until now. */
export function addressed(
  definition: Function,
  settings: EndpointSettings,
  taken: ReadonlySet<string> = new Set(),
): Function {
  const base = webBase(settings);
  const complete = <T extends Pick<Function, "webhookConfig" | "webUrl" | "webUrlInfo" | "customDomainInfo">>(
    of: T,
  ): T =>
    !isWeb(of.webhookConfig)
      ? of
      : {
          ...of,
          webUrl: base.urlOf(of.webUrl),
          webUrlInfo: info(of.webUrlInfo?.truncated === true, taken.has(of.webUrl)),
          customDomainInfo: of.customDomainInfo.map(({ url }) => domainInfo(base.urlOf(url))),
        };
  const methods = Object.entries(definition.methodDefinitions).map(([name, method]) => [name, complete(method)]);
  return {
    ...complete(definition),
    ...(definition.isServer && { flashServiceUrls: definition.flashServiceUrls.map((host) => base.urlOf(host)) }),
    methodDefinitions: Object.fromEntries(methods) as Record<string, MethodDefinition>,
  };
}

/** Whether a web request can be for it. */
export function hasEndpoint(definition: Function): boolean {
  return endpointsOf(definition).length > 0;
}

/** The port of a user's own server, for those that have one: a function's, or what `app.server` makes of a class. */
export function serverPortOf({ isServer, httpConfig, webhookConfig }: Function): number | undefined {
  if (isServer) return httpConfig?.port;
  return webhookConfig?.type === WebhookType.WEB_SERVER ? webhookConfig.webServerPort : undefined;
}

function endpointsOf({ functionName, isServer, httpConfig, webhookConfig, methodDefinitions }: Function): Endpoint[] {
  if (isServer) {
    const config = create(WebhookConfigSchema, { requiresProxyAuth: httpConfig?.unauthenticated !== true });
    return [{ method: "", name: functionName, config }];
  }
  const own = isWeb(webhookConfig) ? [{ method: "", name: functionName, config: webhookConfig }] : [];
  const methods = Object.entries(methodDefinitions).flatMap(([method, { functionName: name, webhookConfig: config }]) =>
    isWeb(config) ? [{ method, name, config }] : [],
  );
  return [...own, ...methods];
}

function isWeb(config: WebhookConfig | undefined): config is WebhookConfig {
  return (config?.type ?? 0) !== 0;
}

/** One that is still being made was asked to be deployed: a run is what it is from the start. */
function isDeployed({ state }: App): boolean {
  return state === "initializing" || state === "deployed";
}

async function environmentOf(tx: Tx, app: App): Promise<string> {
  const environment = (await tx.identity.environments()).find(({ id }) => id === app.environmentId);
  return environment?.webSuffix ?? "";
}

function refuseForeign(domain: string, name: string, { web }: EndpointSettings): void {
  if (mayHaveDomain(domain, web.customDomains)) return;
  throw fail(
    "invalidArgument",
    `Function "${name}" asks for the domain ${domain}, which this platform does not serve.`,
    {
      hint: `Start it with \`lydian up --custom-domain ${domain}\``,
    },
  );
}

function info(truncated: boolean, labelStolen: boolean): WebUrlInfo {
  return { $typeName: "modal.client.WebUrlInfo", truncated, hasUniqueHash: truncated, labelStolen };
}

function domainInfo(url: string): CustomDomainInfo {
  return { $typeName: "modal.client.CustomDomainInfo", url };
}
