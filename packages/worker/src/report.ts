/** What the worker tells the server about a container: its phase, its log, its end, in that order. */
import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import type { Clock } from "@lydian/kit";

import type { Assignment } from "./assignment.ts";
import type { LogStream } from "./container/log-format.ts";
import { followLog, type LogBatch } from "./container/log-tail.ts";
import type { Session } from "./session.ts";

/** Sends the log from where the server has it, as it grows, and then the end. Ends with the session or the container. */
export async function report(container: Assignment, session: Session, clock: Clock): Promise<void> {
  const signal = AbortSignal.any([session.ended, container.released]);
  const { logFile, hasTerminal: isTerminal } = container;
  const from = container.acknowledgedOffset;
  for await (const batch of followLog(logFile, from, { clock, ended: container.gone, signal, isTerminal })) {
    await session.send({ case: "logs", value: logsMessage(container, batch) });
  }
  if (!signal.aborted) await session.send({ case: "containerState", value: goneState(container) });
}

/**
 * The state until the end is told. A container that is gone is still told as what it was before, because the server
 * takes GONE for the end of the log.
 */
export function currentState(container: Assignment): wire.ContainerState {
  return create(wire.ContainerStateSchema, {
    containerId: container.id,
    fence: container.fence,
    phase: container.isRunning ? wire.ContainerState_Phase.RUNNING : wire.ContainerState_Phase.PREPARING,
  });
}

function goneState(container: Assignment): wire.ContainerState {
  return create(wire.ContainerStateSchema, {
    containerId: container.id,
    fence: container.fence,
    phase: wire.ContainerState_Phase.GONE,
    ...(container.exit === undefined ? {} : { exit: container.exit }),
  });
}

const wireStreams: Readonly<Record<LogStream, wire.Logs_Stream>> = {
  stdout: wire.Logs_Stream.STDOUT,
  stderr: wire.Logs_Stream.STDERR,
  system: wire.Logs_Stream.SYSTEM,
};

function logsMessage(container: Assignment, batch: LogBatch): wire.Logs {
  return create(wire.LogsSchema, {
    containerId: container.id,
    fence: container.fence,
    offset: BigInt(batch.offset),
    endOffset: BigInt(batch.endOffset),
    lines: batch.lines.map((line) => ({
      stream: wireStreams[line.stream],
      timeMs: BigInt(line.timeMs),
      data: line.data,
      size: line.size,
    })),
  });
}
