/**
 * Connections on their way from one child to the other. Not a byte of them is read here. While the receiver is being started again
 * they wait, as those to the port do in the kernel's backlog.
 */
import type { ChildProcess } from "node:child_process";

import type { Handed, Handle, SendHandle } from "@lydian/kit";

interface Waiting {
  message: Handed;
  handle: Handle;
}

export class Handover {
  readonly #waiting: Waiting[] = [];
  #receiver: ChildProcess | undefined;
  /** The one at the head is being sent to the receiver. */
  #isSending = false;

  /** What this process hands over goes to the receiver. */
  from(giver: ChildProcess): void {
    giver.on("message", (message: Handed, handle) => {
      this.#waiting.push({ message, handle: handle as unknown as Handle });
      this.#send();
    });
  }

  /** This process is the receiver from now on. */
  to(receiver: ChildProcess): void {
    this.#receiver = receiver;
    this.#isSending = false;
    this.#send();
  }

  /** One after the other, for what a dead receiver was not sent is the next one's; Node never says so of what it queues itself. */
  #send(): void {
    const receiver = this.#receiver;
    const [first] = this.#waiting;
    if (receiver?.connected !== true || first === undefined || this.#isSending) return;
    this.#isSending = true;
    const send = receiver.send.bind(receiver) as unknown as SendHandle;
    send(first.message, first.handle, (error) => {
      if (this.#receiver !== receiver) return;
      this.#isSending = false;
      if (error !== null) return; // it is dying
      this.#waiting.shift();
      first.handle.close();
      this.#send();
    });
  }
}
