/** How programs of an image are run unless somebody says otherwise: the part of an image's configuration that builds use. */
import { PlatformError } from "@lydian/kit";
import { z } from "zod";

export const imageConfigSchema = z.object({
  env: z.record(z.string(), z.string()),
  /** An absolute path. */
  workdir: z.string(),
  /** As in /etc/passwd, or a number; with ":GROUP" where one is given. */
  user: z.string(),
  /** What RUN lines are given to; absent: /bin/sh -c. */
  shell: z.array(z.string()).readonly().optional(),
  entrypoint: z.array(z.string()).readonly().optional(),
  cmd: z.array(z.string()).readonly().optional(),
});

export type ImageConfig = Readonly<z.output<typeof imageConfigSchema>>;

export const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What an image has that says nothing. */
export const plainConfig: ImageConfig = { env: { PATH: usualPath }, workdir: "/", user: "root" };

/** Of an image that is made on this host, in essence what the public image of its name has. */
export const pythonConfig: ImageConfig = {
  env: { PATH: `/usr/local/bin:${usualPath}`, LANG: "C.UTF-8" },
  workdir: "/",
  user: "root",
  cmd: ["python3"],
};

const words = z
  .array(z.string())
  .nullish()
  .transform((list) => (list === null || list === undefined || list.length === 0 ? undefined : list));

/** The configuration blob of an image, by OCI and by Docker. */
const blobSchema = z.object({
  os: z.string().optional(),
  architecture: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(z.string()) }).optional(),
  config: z
    .object({
      Env: z.array(z.string()).nullish(),
      WorkingDir: z.string().nullish(),
      User: z.string().nullish(),
      Shell: words,
      Entrypoint: words,
      Cmd: words,
    })
    .nullish(),
});

export interface ConfigBlob {
  readonly config: ImageConfig;
  /** Of the unpacked layers, lowest first; empty where the image does not say. */
  readonly diffIds: readonly string[];
  readonly platform: { readonly os: string | undefined; readonly architecture: string | undefined };
}

export function parseConfigBlob(value: unknown, image: string): ConfigBlob {
  const result = blobSchema.safeParse(value);
  if (!result.success) {
    throw new PlatformError(`the configuration of ${image} cannot be understood: ${z.prettifyError(result.error)}`);
  }
  const { config, rootfs, os, architecture } = result.data;
  const { Shell: shell, Entrypoint: entrypoint, Cmd: cmd } = config ?? {};
  const env = environmentOf(config?.Env ?? []);
  const workdir = config?.WorkingDir || "/";
  return {
    config: {
      env: "PATH" in env ? env : { PATH: usualPath, ...env },
      workdir: workdir.startsWith("/") ? workdir : `/${workdir}`,
      user: config?.User || "root",
      ...(shell && { shell }),
      ...(entrypoint && { entrypoint }),
      ...(cmd && { cmd }),
    },
    diffIds: rootfs?.diff_ids ?? [],
    platform: { os, architecture },
  };
}

/** Of lines NAME=VALUE; a name without a value is a value from wherever the image is used, which there is not. */
function environmentOf(lines: readonly string[]): Record<string, string> {
  const pairs = lines.flatMap((line): [string, string][] => {
    const at = line.indexOf("=");
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : [];
  });
  return Object.fromEntries(pairs);
}
