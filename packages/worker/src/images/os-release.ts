/** What a system says of itself in its os-release, as far as packages are concerned. Pure. */

export interface OsRelease {
  /** Undefined for those that have another kind of packages. */
  readonly family: "debian" | "ubuntu" | undefined;
  /** Of the release whose packages it takes, such as "bookworm"; empty for other families. */
  readonly codename: string;
}

export function osRelease(text: string): OsRelease {
  const field = (name: string): string => {
    const value = new RegExp(`^${name}=(?<value>.*)$`, "m").exec(text)?.groups?.["value"] ?? "";
    return value.replace(/^["']|["']$/g, "");
  };
  const family = /\b(ubuntu|debian)\b/.exec(`${field("ID")} ${field("ID_LIKE")}`)?.[1] as OsRelease["family"];
  const codename = field("UBUNTU_CODENAME") || field("VERSION_CODENAME");
  return family !== undefined && /^[a-z]+$/.test(codename) ? { family, codename } : { family: undefined, codename: "" };
}
