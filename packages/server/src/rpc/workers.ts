/** The workers' side of the wire. */
import type { exec, worker as protocol } from "@lydian/contract";

import type { WorkerSessions } from "../workers/sessions.ts";
import { type StreamDeps, runSession } from "../workers/session-stream.ts";
import { type Rpcs, worker } from "./adapter-access.ts";

export function workerRpcs(deps: StreamDeps): Rpcs<typeof protocol.Workers> {
  return { session: worker((messages, call) => runSession(deps, messages, call.signal)) };
}

export function execRpcs(sessions: WorkerSessions): Rpcs<typeof exec.Execs> {
  return { serve: worker((messages) => sessions.lines.serve(messages)) };
}
