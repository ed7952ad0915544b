/** A terminal whose output tests can read; nobody sits at it unless they say so. */
import { PassThrough } from "node:stream";

import { Terminal } from "../src/terminal.ts";

export interface Captured {
  readonly terminal: Terminal;
  readonly out: () => string;
  readonly err: () => string;
  /** What was asked. */
  readonly questions: string[];
}

export function captureTerminal(env: NodeJS.ProcessEnv = {}, answer?: boolean): Captured {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const texts = [stdout, stderr].map((stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    return () => {
      const rest = stream.read() as Buffer | null;
      if (rest !== null) chunks.push(rest);
      return Buffer.concat(chunks).toString();
    };
  });
  const questions: string[] = [];
  class AnsweringTerminal extends Terminal {
    override get interactive(): boolean {
      return answer !== undefined;
    }
    override confirm(question: string): Promise<boolean> {
      questions.push(question);
      return Promise.resolve(answer === true);
    }
  }
  const terminal = new AnsweringTerminal({ stdin, stdout, stderr }, env);
  const [out = () => "", err = () => ""] = texts;
  return { terminal, out, err, questions };
}
