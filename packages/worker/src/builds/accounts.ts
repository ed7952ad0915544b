/** Who a user of an image is, by the files that the image itself has. */
import { readFile } from "node:fs/promises";

import { hasCode, PlatformError } from "@lydian/kit";

import type { Account } from "../runtime/runtime.ts";

export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

export interface Found extends Account {
  readonly home: string;
}

/** `realPath` answers where on the host a path of the image leads. */
export async function accountFiles(realPath: (path: string) => string): Promise<AccountFiles> {
  const [passwd, group] = await Promise.all(["/etc/passwd", "/etc/group"].map((path) => textOf(realPath(path))));
  return { passwd: passwd ?? "", group: group ?? "" };
}

/** `user` is a name or a number, with a group where one is given: "nobody", "1000:1000". Pure. */
export function findAccount(user: string, files: AccountFiles): Found {
  const [name = "", groupName] = user.split(":");
  const line = lines(files.passwd).find((each) => each[0] === name || each[2] === name);
  if (line === undefined && !isNumber(name)) throw new PlatformError(`the image has no user ${name}`);
  const uid = line === undefined ? Number(name) : Number(line[2]);
  const gid = groupName === undefined ? Number(line?.[3] ?? 0) : groupId(groupName, files);
  const groups = lines(files.group)
    .filter(([, , , members = ""]) => line !== undefined && members.split(",").includes(line[0] ?? ""))
    .map((each) => Number(each[2]));
  return { uid, gid, groups, home: line?.[5] || (uid === 0 ? "/root" : "/") };
}

function groupId(name: string, { group }: AccountFiles): number {
  const line = lines(group).find((each) => each[0] === name || each[2] === name);
  if (line !== undefined) return Number(line[2]);
  if (!isNumber(name)) throw new PlatformError(`the image has no group ${name}`);
  return Number(name);
}

const isNumber = (text: string): boolean => /^\d{1,9}$/.test(text);

const lines = (text: string): string[][] => text.split("\n").map((line) => line.split(":"));

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EISDIR")) return undefined;
    throw error;
  }
}
