/** What the kernel can do with layers: lay them over each other, and show them with another container's owners. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, messageOf } from "@lydian/kit";

import { nearestExisting, probeFolder } from "./disk.ts";
import { type Finding, missing, ok, type Probed, warning } from "./finding.ts";
import { holdUserNamespace } from "./user-namespace.ts";

/** How overlayfs takes its layers: one by one (`lowerdir+`, from about 6.7), or as one text of limited length. */
export type OverlayKind = "none" | "text" | "oneByOne";

export interface LayerSupport {
  readonly overlay: Probed<OverlayKind>;
  readonly userNamespaces: Probed<boolean>;
  /** Of the data folder's file system. */
  readonly idMaps: Probed<boolean>;
}

const notTried = (): Finding => warning("cannot be tried without root", "run it as root, or with sudo");

/** `data` need not exist; nothing is attached anywhere, and what is made there for the trial is gone in the end. */
export async function probeLayers(data: string, isRoot: boolean): Promise<LayerSupport> {
  if (!isRoot) {
    return {
      overlay: { value: "none", finding: { name: "Overlayfs", ...notTried() } },
      userNamespaces: { value: false, finding: { name: "User namespaces", ...notTried() } },
      idMaps: { value: false, finding: { name: "Id maps", ...notTried() } },
    };
  }
  const place = await nearestExisting(data);
  const [overlay, owners] = await Promise.all([probeOverlay(place), probeOwners(place)]);
  return { overlay, ...owners };
}

async function probeOverlay(place: string): Promise<Probed<OverlayKind>> {
  const named = (value: OverlayKind, finding: Finding): Probed<OverlayKind> => ({
    value,
    finding: { name: "Overlayfs", ...finding },
  });
  try {
    await using folder = await probeFolder(place);
    for (const name of ["a", "b", "u", "w"]) await mkdir(join(folder.path, name));
    if (await canLay(folder.path, "oneByOne")) return named("oneByOne", ok("takes layers one by one (lowerdir+)"));
    if (await canLay(folder.path, "text")) return named("text", ok("takes layers as one text (no lowerdir+)"));
    const remedy = "choose a folder on ext4, xfs or btrfs with --data, or load the kernel module overlay";
    return named("none", missing(`cannot put a layer on top of others in ${place}`, remedy));
  } catch (error) {
    const remedy = "choose a folder on a local disk with --data";
    return named("none", missing(`cannot be tried in ${place}: ${messageOf(error)}`, remedy));
  }
}

/** Two layers and one to write on, mounted but attached nowhere. */
async function canLay(folder: string, kind: "text" | "oneByOne"): Promise<boolean> {
  const { FileSystemContext } = await import("../layers/mount-calls.ts");
  const [a, b] = [join(folder, "a"), join(folder, "b")];
  try {
    using overlay = new FileSystemContext("overlay");
    if (kind === "text") overlay.setText("lowerdir", `${a}:${b}`);
    else for (const layer of [a, b]) overlay.setText("lowerdir+", layer);
    overlay.setText("upperdir", join(folder, "u"));
    overlay.setText("workdir", join(folder, "w"));
    using _mount = overlay.create(folder, 0);
    return true;
  } catch (error) {
    if (hasCode(error, "EINVAL", "ENODEV", "EPERM", "EOPNOTSUPP", "ENOSYS")) return false;
    throw error;
  }
}

async function probeOwners(place: string): Promise<Pick<LayerSupport, "userNamespaces" | "idMaps">> {
  const own = "containers then share the host's user numbers";
  const answer = (users: Finding, maps: Finding): Pick<LayerSupport, "userNamespaces" | "idMaps"> => ({
    userNamespaces: { value: users.state === "ok", finding: { name: "User namespaces", ...users } },
    idMaps: { value: maps.state === "ok", finding: { name: "Id maps", ...maps } },
  });
  try {
    await using namespace = await holdUserNamespace();
    const users = ok("containers have users of their own");
    try {
      const { cloneTree, setAttributes } = await import("../layers/mount-calls.ts");
      const { openFile } = await import("../layers/descriptor.ts");
      using userns = openFile(namespace.path);
      using tree = cloneTree(place);
      setAttributes(tree, { userns });
      return answer(users, ok(`layers in ${place} can be shown with other owners`));
    } catch (error) {
      const remedy = "choose a folder on ext4, xfs or btrfs with --data";
      return answer(users, warning(`layers in ${place} cannot change owners (${messageOf(error)}): ${own}`, remedy));
    }
  } catch (error) {
    const remedy = "sysctl user.max_user_namespaces=10000";
    const users = warning(`cannot be made (${messageOf(error)}): ${own}`, remedy);
    return answer(users, warning(`not tried, for want of a user namespace`, remedy));
  }
}
