// Fails on a relative link in a Markdown file that leads to no file, or to no heading of it. Links to other hosts are not
// followed: a check must not depend on the network.

import { existsSync, readFileSync, statSync } from "node:fs";
import { posix } from "node:path";
import { listFiles } from "./files.mjs";

const patterns = [
  /\]\(\s*<?(?<target>[^)\s>]+)>?(?:\s+["'(][^)]*)?\)/g, // [text](target "title"), the text whatever it is
  /^ {0,3}\[[^\]^]+\]:\s*<?(?<target>[^\s>]+)>?/gm, // [id]: target
  /<(?:a|img)\b[^>]*?\b(?:href|src)\s*=\s*["'](?<target>[^"']+)["']/gi,
];

/** @param {string} root @returns {string[]} */
export function checkLinks(root) {
  return listFiles(root)
    .filter((path) => path.endsWith(".md"))
    .flatMap((path) =>
      listTargets(readFileSync(`${root}/${path}`, "utf8")).flatMap(({ target, line }) => {
        const fault = linkFault(root, path, target);
        return fault ? [`${path}:${line}: ${target} ${fault}`] : [];
      }),
    );
}

/** @param {string} markdown */
function listTargets(markdown) {
  const prose = withoutCode(markdown);
  return patterns.flatMap((pattern) =>
    [...prose.matchAll(pattern)].map((match) => ({
      target: match.groups?.target ?? "",
      line: prose.slice(0, match.index).split("\n").length,
    })),
  );
}

/**
 * @param {string} root
 * @param {string} from the file that holds the link
 * @param {string} target
 * @returns {string | undefined}
 */
function linkFault(root, from, target) {
  if (/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(target)) return undefined;
  const [link = "", anchor = ""] = target.split("#", 2).map(decodeURIComponent);
  const file = link.replace(/\?.*$/, "");
  // As GitHub reads them: a leading slash is the repository's root.
  const path = file === "" ? from : posix.join(file.startsWith("/") ? "." : posix.dirname(from), file);
  if (path.startsWith("..")) return "leads out of the repository";
  if (!existsSync(`${root}/${path}`)) return "leads to no file";
  if (anchor === "" || !path.endsWith(".md") || !statSync(`${root}/${path}`).isFile()) return undefined;
  return anchors(readFileSync(`${root}/${path}`, "utf8")).has(anchor) ? undefined : `: ${path} has no such heading`;
}

/** The anchors that GitHub gives a page: its headings', repeated ones numbered, and explicit ids. @param {string} markdown */
function anchors(markdown) {
  const found = new Set([...markdown.matchAll(/\b(?:id|name)="([^"]+)"/g)].map((match) => match[1] ?? ""));
  /** @type {Map<string, number>} */
  const seen = new Map();
  for (const match of withoutFences(markdown).matchAll(/^ {0,3}#{1,6}[ \t]+(?<text>.*?)[ \t]*#*[ \t]*$/gm)) {
    const slug = slugOf(match.groups?.text ?? "");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    found.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return found;
}

/** @param {string} heading */
function slugOf(heading) {
  const text = heading.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/<[^>]*>/g, "");
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");
}

/** Blanked, not removed, so that line numbers stay. @param {string} markdown */
const withoutCode = (markdown) => withoutFences(markdown).replaceAll(/(?<!`)(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, blank);

/** @param {string} markdown */
const withoutFences = (markdown) =>
  markdown.replaceAll(/^[ \t]*(?<fence>`{3,}|~{3,})[\s\S]*?(?:^[ \t]*\k<fence>[`~]*[ \t]*$|(?![\s\S]))/gm, blank);

/** @param {string} text */
const blank = (text) => text.replaceAll(/[^\n]/g, " ");
