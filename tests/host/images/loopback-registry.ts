/** An OCI registry for tests, on loopback: images made of archives that the test makes. */
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { pack as tarPack, type Header } from "tar-stream";

export type Entry = Partial<Header> & { name: string; content?: string };

/** A tar archive of these entries, in this order. */
export async function archive(entries: readonly Entry[]): Promise<Buffer> {
  const pack = tarPack();
  for (const { content, ...header } of entries)
    pack.entry({ mtime: new Date(1_600_000_000_000), ...header }, content ?? "");
  pack.finalize();
  return await buffer(pack);
}

export interface TestImage {
  /** Lowest first. */
  readonly layers: readonly { readonly entries: readonly Entry[]; readonly packing: "gzip" | "zstd" | "none" }[];
}

const types = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  none: "application/vnd.oci.image.layer.v1.tar",
};

interface Blob {
  readonly type: string;
  bytes: Buffer;
}

export class LoopbackRegistry {
  readonly repository = "library/python";
  readonly url: string;
  /** What a worker is told to take its images from here. */
  get settings(): { mirrors: Record<string, string[]> } {
    return { mirrors: { "docker.io": [this.url] } };
  }

  /** Path of each request that was answered, without the host. */
  readonly requests: string[] = [];
  /** Answers instead of the registry where it says true. */
  intercept: (request: http.IncomingMessage, response: http.ServerResponse) => boolean = () => false;
  readonly #blobs = new Map<string, Blob>();
  readonly #tags = new Map<string, string>();
  readonly #token = randomUUID();

  private constructor(url: string) {
    this.url = url;
  }

  /** Wants an anonymous token for all but the token, as public registries do. */
  static async start(t: TestContext): Promise<LoopbackRegistry> {
    const server = http.createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const registry = new LoopbackRegistry(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on("request", (request, response) => registry.#answer(request, response));
    t.after(async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    });
    return registry;
  }

  /** Offers an image for Linux on this architecture, beside others that nobody can read. Answers its layers' digests. */
  async push(tag: string, image: TestImage): Promise<string[]> {
    const layers = [];
    for (const { entries, packing } of image.layers) {
      const bytes = await archive(entries);
      const packed = packing === "gzip" ? gzipSync(bytes) : packing === "zstd" ? zstdCompressSync(bytes) : bytes;
      layers.push(this.#put(types[packing], packed));
    }
    const config = this.#put("application/vnd.oci.image.config.v1+json", Buffer.from("{}"));
    const manifest = this.#put(types.manifest, json({ schemaVersion: 2, mediaType: types.manifest, config, layers }));
    const stranger = { mediaType: types.manifest, digest: `sha256:${"0".repeat(64)}`, size: 1 };
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const manifests = [
      { ...stranger, platform: { os: "linux", architecture: "s390x" } },
      { ...stranger, platform: { os: "unknown", architecture: "unknown" } },
      { ...manifest, platform: { os: "linux", architecture } },
    ];
    this.#tags.set(tag, this.#put(types.index, json({ schemaVersion: 2, mediaType: types.index, manifests })).digest);
    return layers.map(({ digest }) => digest);
  }

  /** Changes what is sent under a digest. */
  tamper(digest: string, change: (bytes: Buffer) => Buffer): void {
    this.#blob(digest).bytes = change(this.bytes(digest));
  }

  bytes(digest: string): Buffer {
    return this.#blob(digest).bytes;
  }

  #blob(digest: string): Blob {
    const blob = this.#blobs.get(digest);
    if (blob === undefined) throw new Error(`there is no ${digest}`);
    return blob;
  }

  #put(type: string, bytes: Buffer) {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    this.#blobs.set(digest, { type, bytes });
    return { mediaType: type, digest, size: bytes.length };
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = new URL(request.url ?? "/", this.url);
    this.requests.push(url.pathname);
    if (this.intercept(request, response)) return;
    if (url.pathname === "/token") {
      const fits = url.searchParams.get("service") === "test" && url.searchParams.get("scope")?.endsWith(":pull");
      response.writeHead(fits ? 200 : 400, { "content-type": "application/json" });
      response.end(json({ token: this.#token }));
      return;
    }
    if (request.headers.authorization !== `Bearer ${this.#token}`) {
      const scope = `repository:${this.repository}:pull`;
      response.writeHead(401, {
        "www-authenticate": `Bearer realm="${this.url}/token",service="test",scope="${scope}"`,
      });
      response.end();
      return;
    }
    const [, kind, name = ""] = /^\/v2\/library\/python\/(manifests|blobs)\/(.*)$/.exec(url.pathname) ?? [];
    const blob = this.#blobs.get(kind === "manifests" ? (this.#tags.get(name) ?? name) : name);
    if (blob === undefined) {
      response.writeHead(404, { "content-type": "application/json" });
      response.end(json({ errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] }));
      return;
    }
    response.writeHead(200, { "content-type": blob.type, "content-length": blob.bytes.length });
    response.end(blob.bytes);
  }
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
