/** A password for an account's registry at the Amazon ECR, which its API gives for 12 hours. */
import aws4 from "aws4";
import { z } from "zod";

import { messageOf } from "@lydian/kit";

import { fail } from "../errors.ts";
import type { AskAws } from "./registry-credentials.ts";

/** For the whole request, in milliseconds. */
const timeoutMs = 30_000;

const answerSchema = z.object({
  authorizationData: z.array(z.object({ authorizationToken: z.string() })),
});
const refusalSchema = z.object({ message: z.string() });

export const awsPassword: AskAws = (keys) => passwordFrom(`https://api.ecr.${keys.region}.amazonaws.com`, keys);

/** The endpoint is a parameter for tests. */
export async function passwordFrom(endpoint: string, keys: Parameters<AskAws>[0]): Promise<string> {
  const { host } = new URL(endpoint);
  const { region, accessKeyId, secretAccessKey, sessionToken } = keys;
  const signed = aws4.sign(
    {
      service: "ecr",
      region,
      host,
      method: "POST",
      path: "/",
      body: "{}",
      headers: {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
      },
    },
    { accessKeyId, secretAccessKey, ...(sessionToken !== "" && { sessionToken }) },
  );
  const headers = Object.entries(signed.headers ?? {}).map(([name, value]): [string, string] => [name, String(value)]);
  try {
    const response = await fetch(`${endpoint}/`, {
      method: "POST",
      body: "{}",
      headers,
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(refusalOf(text) ?? `it answered with status ${response.status}`);
    const [data] = answerSchema.parse(JSON.parse(text)).authorizationData;
    const token = Buffer.from(data?.authorizationToken ?? "", "base64").toString();
    const [, password] = /^AWS:(.+)$/.exec(token) ?? [];
    if (password === undefined) throw new Error("its answer holds no password");
    return password;
  } catch (error) {
    throw fail("failedPrecondition", `${host} gave no password for the registry: ${messageOf(error)}.`, {
      hint: "Look at the secret's AWS_REGION and keys, and whether they may ecr:GetAuthorizationToken",
      cause: error,
    });
  }
}

function refusalOf(text: string): string | undefined {
  try {
    return refusalSchema.parse(JSON.parse(text)).message;
  } catch {
    return undefined; // its status says enough
  }
}
