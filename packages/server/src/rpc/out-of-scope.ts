/** What the clients can ask for and this platform has not: in words for whoever gave the command. */

const scopes: readonly (readonly [rpcs: RegExp, what: string])[] = [
  [/Billing/, "There is no billing: what runs here runs on your own machines"],
  [
    /^(?:Sandbox|PersistentSandbox|TaskContainer|TaskExec|TaskMount|TaskUnmount|TaskSnapshot|TaskSet|TaskGetCommandRouter)/,
    "Sandboxes are still to come, and so are shells of their own: `modal container exec` opens one in a container that runs",
  ],
  [
    /^(?:Endpoint|Server|Flash|FunctionGetFlash|ContainerServer)/,
    "Endpoints of language models, and what only they are asked, are not there",
  ],
  [/^SharedVolume/, "Network file systems are not there: use a volume"],
  [
    /^(?:ServiceUser|EnvironmentGetRoles|EnvironmentRoleSet|AuditLog|WorkspaceMembersSet)/,
    "A platform has one user: there are no members, service users, roles or audit logs; `lydian token` makes tokens for others",
  ],
  [/^(?:Cluster|TaskCluster)/, "Clusters of containers are not there"],
  [/^WebhookToken/, "A proxy token opens the web functions of all environments"],
  [/^WorkspaceSetImageBuilder/, "There is one version of the image builder"],
];

/** A sentence for the path of an RPC that nothing answers. */
export function outOfScope(path: string): string {
  const rpc = path.slice(path.lastIndexOf("/") + 1);
  const [, what] = scopes.find(([rpcs]) => rpcs.test(rpc)) ?? [];
  return what === undefined ? `This server has no method ${path}.` : `${what} (${rpc}).`;
}
