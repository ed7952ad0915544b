/** How V8 counts the memory of buffers, which lies outside its heap. */
import { setFlagsFromString } from "node:v8";

/**
 * For a process that moves bytes. As it is, V8 looks through its whole heap each time that buffers of some tens of megabytes were
 * made, however short they lived, which was half of the processor time of a gigabyte that passes the server. With this they count as objects
 * do, and the next look comes when there is about a third more than was in use at the last one. A V8 that does not know it says so on stderr.
 */
export function countBuffersAsHeap(): void {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
}
