/**
 * Which of a host's package sources carry the distribution itself, in both formats of apt: one line a source (`.list`)
 * and paragraphs (`.sources`). Everybody else's repositories have no place in a base image.
 */

export interface SourcesFile {
  /** Ends in `.list` or `.sources`. */
  readonly name: string;
  readonly text: string;
}

interface Source {
  readonly format: "list" | "sources";
  /** The line or paragraph, as it stood. */
  readonly text: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly signedBy: string;
}

/** The sources of this release with its updates and security fixes; both texts empty when the host has none. */
export function sourcesOf(codename: string, files: readonly SourcesFile[]): { list: string; sources: string } {
  const wanted = new Set([codename, `${codename}-updates`, `${codename}-security`, `${codename}/updates`]);
  const candidates = files
    .flatMap((file) => (file.name.endsWith(".sources") ? paragraphs(file.text) : lines(file.text)))
    .filter(({ suites, components }) => suites.some((suite) => wanted.has(suite)) && components.includes("main"));
  // Vendors call their suites after the release as well; what is the distribution's own is signed with its own key.
  const own = candidates.filter(({ signedBy }) => signedBy === "" || /(debian|ubuntu)-archive/.test(signedBy));
  const chosen = own.length > 0 ? own : candidates;
  const textOf = (format: Source["format"], between: string): string => {
    const texts = chosen.filter((source) => source.format === format).map(({ text }) => `${text}\n`);
    return texts.join(between);
  };
  return { list: textOf("list", ""), sources: textOf("sources", "\n") };
}

/** The files that a source says are its keys. */
export function keysOf(file: SourcesFile): string[] {
  const found = file.name.endsWith(".sources") ? paragraphs(file.text) : lines(file.text);
  return [...new Set(found.flatMap(({ signedBy }) => signedBy.split(/[\s,]+/)).filter((key) => key.startsWith("/")))];
}

function lines(text: string): Source[] {
  return text.split("\n").flatMap((line) => {
    const match = /^deb\s+(?:\[(?<options>[^\]]*)\]\s+)?\S+\s+(?<suite>\S+)(?<components>[^#]*)/.exec(line.trim());
    if (match?.groups === undefined) return [];
    const { options = "", suite = "", components = "" } = match.groups;
    const signedBy = /(?:^|\s)signed-by=(?<key>\S+)/i.exec(options)?.groups?.["key"] ?? "";
    return [{ format: "list", text: line.trim(), suites: [suite], components: words(components), signedBy }];
  });
}

function paragraphs(text: string): Source[] {
  const withoutComments = text.replace(/^#.*\n?/gm, "");
  return withoutComments.split(/\n[ \t]*\n/).flatMap((paragraph) => {
    const fields = new Map<string, string>();
    // A value goes on in lines that start with a blank.
    for (const field of paragraph.trim().split(/\n(?![ \t])/)) {
      const at = field.indexOf(":");
      if (at > 0) fields.set(field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim());
    }
    const isOn = !/^(no|false|0|off)$/i.test(fields.get("enabled") ?? "");
    if (!isOn || !words(fields.get("types")).includes("deb")) return [];
    return [
      {
        format: "sources",
        text: paragraph.trim(),
        suites: words(fields.get("suites")),
        components: words(fields.get("components")),
        signedBy: fields.get("signed-by") ?? "",
      },
    ];
  });
}

function words(text: string | undefined): string[] {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}
