/** What an input that has ended looks like in a trace: pure, and the same however often it is asked. */
import { hash } from "node:crypto";

import type { InputEnded } from "../domain/happening.ts";

export interface Span {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 of them. */
  id: string;
  parentId: string | undefined;
  name: string;
  kind: "call" | "part";
  /** Milliseconds since the epoch. */
  start: number;
  end: number;
  attributes: Record<string, string | number>;
  /** Why it has no value. */
  error: string | undefined;
}

/** What the input itself does not say. */
export interface Surroundings {
  /** The first call of the tree that it belongs to. */
  rootCallId: string;
  app: string;
  environment: string;
  function: string;
  /** When the container that had it last began, and when it first asked for inputs. */
  container: { createdAt: number; readyAt: number | undefined } | undefined;
}

/**
 * One span for the input, from its call (of a map: from its last wait's beginning) to its output, below the input whose code
 * called; in it one for its wait, with the start of the container that it waited for, and one for the time in that container.
 */
export function spansOf(ended: InputEnded, around: Surroundings): Span[] {
  const { input, call, status, endedAt } = ended;
  const traceId = digest(`trace ${around.rootCallId}`, 32);
  const id = spanIdOf(input.id);
  const start = call.shape === "map" && input.failures + input.crashes === 0 ? input.queuedAt : call.createdAt;
  const base = { traceId, attributes: {}, error: undefined };
  const part = (name: string, from: number, to: number): Span => ({
    ...{ ...base, name, kind: "part", start: from, end: Math.max(from, to) },
    ...{ id: digest(`${name} ${input.id}`, 16), parentId: id },
  });
  const whole: Span = {
    ...{ ...base, id, kind: "call", start, end: endedAt, name: `${around.app}.${around.function}` },
    parentId: call.parentInputId === "" ? undefined : spanIdOf(call.parentInputId),
    attributes: {
      "lydian.app": around.app,
      "lydian.environment": around.environment,
      "lydian.function": around.function,
      "lydian.call_id": call.id,
      "lydian.input_id": input.id,
      "lydian.attempt": input.attempt,
      "lydian.status": status,
      ...(input.containerId !== undefined && { "lydian.container_id": input.containerId }),
    },
    error: status === "success" ? undefined : status,
  };
  const { claimedAt, queuedAt } = input;
  if (claimedAt === undefined) return [whole, part("wait", queuedAt, endedAt)];
  const wait = part("wait", queuedAt, claimedAt);
  const { container } = around;
  const isCold = container?.readyAt !== undefined && container.readyAt > queuedAt && container.readyAt <= claimedAt;
  const cold = isCold
    ? [{ ...part("container start", container.createdAt, container.readyAt ?? 0), parentId: wait.id }]
    : [];
  return [whole, wait, ...cold, part("run", claimedAt, endedAt)];
}

function spanIdOf(inputId: string): string {
  return digest(`input ${inputId}`, 16);
}

function digest(text: string, length: number): string {
  return hash("sha256", text).slice(0, length);
}
