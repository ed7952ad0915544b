/** The public Python clients' own uploader against the blob routes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { supportedPythonClients } from "@lydian/contract";

import { BlobLinks, type BlobUpload } from "../../src/content/blob-links.ts";
import { BlobUploads } from "../../src/content/blob-uploads.ts";
import { ContentStore } from "../../src/content/content-store.ts";
import { sha256Of } from "../../src/content/digest.ts";
import { contentRoutes } from "../../src/content/routes.ts";
import { startRig, temporaryFolder } from "../ingress/rig.ts";

const cacheFolder = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const venvs = process.env["LYDIAN_VENVS"] ?? join(cacheFolder, "lydian", "venvs");

/** Answers the SHA-256 of what it downloads. */
const script = `
import asyncio, base64, hashlib, io, json, sys
from modal._utils.blob_utils import ClientSessionRegistry, _download_from_url, perform_multipart_upload
async def main():
    told = json.loads(sys.argv[1])
    data = base64.b64decode(sys.stdin.read())
    await perform_multipart_upload(io.BytesIO(data), content_length=len(data), max_part_size=told["partLength"],
                                   part_urls=told["uploadUrls"], completion_url=told["completionUrl"])
    print(hashlib.sha256(await _download_from_url(told["downloadUrl"])).hexdigest())
    await ClientSessionRegistry.close_session()
asyncio.run(main())
`;

for (const version of supportedPythonClients) {
  const python = join(venvs, `modal-${version}`, "bin", "python");
  const skip = existsSync(python) ? false : `the Python client ${version} is not installed`;
  test(`Python ${version} uploads in one part and in several, and downloads`, { skip }, async () => {
    await using folder = await temporaryFolder();
    const store = await ContentStore.open(join(folder.path, "content"));
    const links = new BlobLinks(randomBytes(32), Date.now, { largestSingle: 100_000, usual: 70_000 });
    const stored: BlobUpload[] = [];
    const uploads = new BlobUploads({
      store,
      folder: join(folder.path, "parts"),
      stored: async (b) => void stored.push(b),
    });
    await using rig = await startRig({ routes: [contentRoutes({ store, links, uploads, isWorker: () => false })] });
    for (const size of [0, 99_999, 500_000]) {
      const bytes = randomBytes(size);
      const sha256 = sha256Of(createHash("sha256").update(bytes).digest("hex"));
      const blob = { blobId: `bl-${size}`, sha256, size };
      const downloadUrl = links.download(rig.url, blob, 60_000);
      const told = { ...links.uploadInParts(rig.url, blob, 60_000), downloadUrl };
      const running = promisify(execFile)(python, ["-c", script, JSON.stringify(told)]);
      running.child.stdin?.end(bytes.toString("base64"));
      assert.equal((await running).stdout.trim(), sha256);
      assert.deepEqual(stored.at(-1), blob);
    }
  });
}
