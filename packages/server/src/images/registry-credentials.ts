/** A user name and a password for a registry, from the variables of a secret. No value is ever in an error. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { worker } from "@lydian/contract";

import type { RegistryLogin } from "../domain/image.ts";
import { fail } from "../errors.ts";
import type { Values } from "../secrets/seal.ts";

export type Credentials = MessageInitShape<typeof worker.RegistryCredentialsSchema>;

export interface AwsKeys {
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Of keys that are good for a while only; else empty. */
  sessionToken: string;
}

/** Gets a password for the registry of an account. */
export type AskAws = (keys: AwsKeys) => Promise<string>;

const names: Record<RegistryLogin["kind"], string> = {
  static: "a registry",
  gcp: "the Google Artifact Registry",
  aws: "the Amazon ECR",
};

export async function credentialsFrom(
  kind: RegistryLogin["kind"],
  values: Values,
  askAws: AskAws,
): Promise<Credentials> {
  const need = (key: string): string => {
    const value = values[key];
    if (value !== undefined && value !== "") return value;
    throw fail("failedPrecondition", `The secret for ${names[kind]} does not have ${key}.`, {
      hint: "Add it to the secret, and build the image again",
    });
  };
  switch (kind) {
    case "static":
      return { username: need("REGISTRY_USERNAME"), password: need("REGISTRY_PASSWORD") };
    case "gcp":
      return { username: "_json_key", password: need("SERVICE_ACCOUNT_JSON") };
    case "aws": {
      if (values["AWS_ROLE_ARN"] !== undefined && values["AWS_ACCESS_KEY_ID"] === undefined) {
        throw fail(
          "failedPrecondition",
          "The secret for the Amazon ECR names a role (AWS_ROLE_ARN), which needs OIDC.",
          {
            hint: "This platform cannot prove itself to AWS: use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead",
          },
        );
      }
      const keys = {
        region: need("AWS_REGION"),
        accessKeyId: need("AWS_ACCESS_KEY_ID"),
        secretAccessKey: need("AWS_SECRET_ACCESS_KEY"),
        sessionToken: values["AWS_SESSION_TOKEN"] ?? "",
      };
      return { username: "AWS", password: await askAws(keys) };
    }
  }
}
