/** Credentials for registries: which variables they are made of, and what AWS is asked for them. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";

import { passwordFrom } from "../../src/images/aws-password.ts";
import { credentialsFrom } from "../../src/images/registry-credentials.ts";

const askNobody = async (): Promise<string> => {
  throw new Error("nobody is asked");
};

describe("credentials", () => {
  it("are a name and a password, or a service account's key", async () => {
    const own = await credentialsFrom("static", { REGISTRY_USERNAME: "me", REGISTRY_PASSWORD: "p" }, askNobody);
    assert.deepEqual(own, { username: "me", password: "p" });
    const google = await credentialsFrom("gcp", { SERVICE_ACCOUNT_JSON: "{}" }, askNobody);
    assert.deepEqual(google, { username: "_json_key", password: "{}" });
  });

  it("that lack something are refused by what they lack, and never with what they have", async () => {
    await assert.rejects(credentialsFrom("static", { REGISTRY_USERNAME: "secret" }, askNobody), (error: Error) => {
      assert.match(error.message, /does not have REGISTRY_PASSWORD/);
      assert.doesNotMatch(error.message, /secret"|"secret/);
      return true;
    });
    await assert.rejects(credentialsFrom("gcp", {}, askNobody), /SERVICE_ACCOUNT_JSON/);
    await assert.rejects(credentialsFrom("aws", { AWS_REGION: "eu-west-1" }, askNobody), /AWS_ACCESS_KEY_ID/);
    await assert.rejects(credentialsFrom("aws", { AWS_ROLE_ARN: "arn" }, askNobody), /AWS_ROLE_ARN/);
  });
});

/** AWS's side, which answers each request with this. */
async function aws(status: number, answer: unknown) {
  const requests: { headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      requests.push({ headers: request.headers, body });
      response.writeHead(status).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const keys = { region: "eu-west-1", accessKeyId: "AKID", secretAccessKey: "hidden", sessionToken: "while" };

describe("the Amazon ECR", () => {
  it("gives a password for a signed request", async () => {
    const authorizationToken = Buffer.from("AWS:the password").toString("base64");
    await using it = await aws(200, { authorizationData: [{ authorizationToken, expiresAt: 1 }] });
    assert.equal(await passwordFrom(it.endpoint, keys), "the password");
    const [request] = it.requests;
    assert.equal(request?.body, "{}");
    assert.match(String(request.headers["x-amz-target"]), /GetAuthorizationToken$/);
    assert.equal(request.headers["x-amz-security-token"], "while");
    const scope =
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/ecr\/aws4_request, SignedHeaders=\S+, Signature=\w{64}$/;
    assert.match(request.headers.authorization ?? "", scope);
    assert.match(request.headers.authorization ?? "", /SignedHeaders=\S*host;\S*x-amz-date/);
  });

  it("that refuses is quoted, without a key", async () => {
    await using it = await aws(400, { message: "The security token is invalid" });
    await assert.rejects(passwordFrom(it.endpoint, keys), (error: Error) => {
      assert.match(error.message, /gave no password for the registry: The security token is invalid/);
      assert.doesNotMatch(error.message, /hidden/);
      return true;
    });
    await using odd = await aws(200, { authorizationData: [] });
    await assert.rejects(passwordFrom(odd.endpoint, keys), /no password/);
  });
});
