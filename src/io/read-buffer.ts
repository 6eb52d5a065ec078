/**
 * Sockets that read into one buffer. A 'data' event costs a fresh ArrayBuffer of 64 KiB, shrunk to what came, a trip
 * through the stream's queue, and garbage that V8 counts against the old generation; Node's `onread` spares all of it.
 * One buffer serves every socket of the process, because a chunk is borrowed until the callback returns (link.ts) and
 * nothing else is read meanwhile.
 *
 * `onread` is an option of outgoing sockets only. An accepted one is wrapped anew around its handle, which is internal to
 * Node (it works on 20 to 26); where the handle does not look as expected the socket stays as it is, with 'data' events.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";

const readBytes = 64 * 1024;
const buffer = new Uint8Array(readBytes);

/** Told of each chunk: `length` bytes from `offset` in `memory`, borrowed until it returns. */
export type OnChunk = (memory: ArrayBufferLike, offset: number, length: number) => void;

/** The option for `net.connect`. */
export function readInto(onChunk: OnChunk): OnReadOpts {
  return {
    buffer,
    callback: (length) => {
      onChunk(buffer.buffer, 0, length);
      return true;
    },
  };
}

interface Handle {
  readonly useUserBuffer?: unknown;
}

/** An accepted socket, not yet reading, as one that reads into the buffer; the very same where Node does not let us. */
export function rewrapped(accepted: Socket, onChunk: OnChunk): Socket {
  const inner = accepted as unknown as { _handle: Handle | null };
  const handle = inner._handle;
  if (handle === null || typeof handle?.useUserBuffer !== "function") return accepted;
  inner._handle = null;
  // The types know neither the handle nor that it may come with `onread`.
  const options = { handle, onread: readInto(onChunk) } as unknown as SocketConstructorOpts;
  return new Socket(options);
}
