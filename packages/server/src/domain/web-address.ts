/** Under which host names web functions are reached: the rule that makes them, as a pure function. */
/** A host that belongs to a web function, and what the ingress has to know before it calls that. */
export interface WebAddress {
  /** A label below the platform's domain for web functions, or a whole host name of the user's own. Lower case. */
  host: string;
  functionId: string;
  /** Of a class; empty for a plain function. */
  method: string;
  /** Only requests with a proxy token may pass. */
  guarded: boolean;
}

/** What a label is made of. */
export interface LabelParts {
  workspace: string;
  /** The environment's web suffix, which may be empty. */
  environment: string;
  app: string;
  /** A function's name, or a method's with its class: `Model.predict`. */
  function: string;
  /** Asked for by the user, in place of app and function; empty for none. */
  label: string;
  /** Set apart from the deployed app of the same name, such as `dev`; empty for a deployed one. */
  suffix: string;
}

export interface MadeLabel {
  text: string;
  /** It was too long: its end is a digest of what it would have been. */
  truncated: boolean;
}

/** As long as a label may be in the domain name system. */
const longestLabel = 63;
const digestLength = 6;

/** SHA-256 of a text, in hexadecimal digits. */
export type Digest = (text: string) => string;

/** `<workspace>[-<environment>]--<app>-<function>[-<suffix>]`, or with the user's label in place of app and function. */
export function webLabel(
  { workspace, environment, app, function: name, label, suffix: asked }: LabelParts,
  digestOf: Digest,
): MadeLabel {
  const owner = slug(environment === "" ? workspace : `${workspace}-${environment}`);
  const full = `${owner}--${slug(label === "" ? `${app}-${name}` : label)}`;
  const suffix = asked === "" ? "" : `-${slug(asked)}`;
  if (full.length + suffix.length <= longestLabel) return { text: full + suffix, truncated: false };
  const digest = digestOf(full).slice(0, digestLength);
  const start = full.slice(0, longestLabel - digestLength - 1 - suffix.length);
  return { text: `${start}-${digest}${suffix}`, truncated: true };
}

function slug(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9-]/g, "-");
}

/** Where web functions are, by the operator's settings. */
export interface WebSettings {
  /** The address that clients are told; where nothing else is said, web functions share its scheme and port. */
  publicUrl: string;
  web: {
    /** Web functions are labels below this address; undefined: below `localhost`. */
    url?: string | undefined;
    /** Host names that functions may have as their own; `*.` in front stands for one label. */
    customDomains: readonly string[];
  };
}

export interface WebBase {
  /** `http` or `https`, as callers see it. */
  readonly scheme: string;
  /** Of a label, or of a whole host name of the user's own. */
  urlOf(host: string): string;
}

export function webBase(settings: WebSettings): WebBase {
  const { protocol, hostname, port } = baseUrl(settings);
  const suffix = port === "" ? "" : `:${port}`;
  return {
    scheme: protocol.replace(":", ""),
    urlOf: (host) => `${protocol}//${host.includes(".") ? host : `${host}.${hostname}`}${suffix}`,
  };
}

/**
 * Whether a request with this Host header (port and all) is for a web function, and for which: what its address is known by.
 * Undefined: it is the platform's own.
 */
export function endpointHost(authority: string, settings: WebSettings): string | undefined {
  const host = authority.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
  if (host === new URL(settings.publicUrl).hostname) return undefined;
  const domain = `.${baseUrl(settings).hostname}`;
  if (host.endsWith(domain)) return host.slice(0, -domain.length);
  return mayHaveDomain(host, settings.web.customDomains) ? host : undefined;
}

/** Whether a host name is one of those, or one label below one with `*.`. */
export function mayHaveDomain(host: string, allowed: readonly string[]): boolean {
  const above = host.slice(host.indexOf("."));
  return allowed.some((each) => each === host || (host.includes(".") && each === `*${above}`));
}

function baseUrl({ publicUrl, web }: WebSettings): URL {
  if (web.url !== undefined) return new URL(web.url);
  const url = new URL(publicUrl);
  url.hostname = "localhost";
  return url;
}
