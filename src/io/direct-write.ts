/**
 * Writing to a socket without its stream. `socket.write` makes a request object, goes through the queue of the stream and
 * calls back in a later tick, though the kernel nearly always takes a frame at once; a plain system call on the socket's
 * descriptor does the same for less CPU. What the kernel does not take goes through the stream, in order.
 *
 * The descriptor is internal to Node (there on 20 to 26, not on Windows): without it every byte goes through the stream.
 */
import { writeSync } from "node:fs";
import type { Socket } from "node:net";

/** How many of `bytes` the kernel took at once; 0 too when only the stream can tell what is wrong with the socket. */
export function writeDirectly(socket: Socket, bytes: Uint8Array): number {
  // What the stream still holds goes first.
  if (socket.writableLength !== 0 || socket.connecting) return 0;
  const descriptor = (socket as unknown as { _handle?: { fd?: unknown } | null })._handle?.fd;
  if (typeof descriptor !== "number" || descriptor < 0) return 0;
  try {
    return writeSync(descriptor, bytes, 0, bytes.length);
  } catch {
    // Full (EAGAIN) or broken: the stream waits, or tells.
    return 0;
  }
}
