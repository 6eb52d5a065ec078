/**
 * A client of the wire by hand: one socket to one node, frames as bytes. It can do what the SDK never does: choose its
 * coordinator, say a wrong hello or none, send bytes that are no frame, and not read.
 */
import { connect, type Socket } from "node:net";
import { instant } from "../../src/base/time.ts";
import { decode, encode, type Fields, type MessageCodec } from "../../src/wire/codec.ts";
import { FrameReader } from "../../src/wire/frame.ts";
import { FrameType, REPLY_BIT } from "../../src/wire/frame-types.ts";
import { ErrorReply, Hello } from "../../src/wire/gen/codecs.ts";
import { Role } from "../../src/wire/hello.ts";
import { patienceMs, waitFor } from "./e2e.ts";

/** A frame that came. */
export interface Received {
  readonly type: number;
  readonly status: number;
  readonly frameId: number;
  readonly body: Uint8Array;
}

/** The bytes of one frame. */
export function frameOf(type: number, frameId: number, body: Uint8Array = new Uint8Array(0), flags = 0): Buffer {
  const header = Buffer.alloc(10);
  header.writeUInt32BE(6 + body.length, 0);
  header.writeUInt8(type, 4);
  header.writeUInt8(flags, 5);
  header.writeUInt32BE(frameId, 6);
  return Buffer.concat([header, body]);
}

/** A client's hello. */
export const clientHello: Fields<Hello> = { versionMin: 1, versionMax: 1, role: Role.client, software: "test/1" };

/** One connection. */
export class WireClient {
  readonly socket: Socket;
  readonly frames: Received[] = [];
  /** The far side, or the system, has ended the connection. */
  closed = false;
  #lastId = 0;
  readonly #waiting = new Map<number, { readonly onFrame: (frame: Received) => void; readonly onLost: () => void }>();

  constructor(address: string) {
    const [host, port] = address.split(":") as [string, string];
    this.socket = connect({ host, port: Number(port) });
    const reader = new FrameReader(
      {
        onFrame: (_now, { type, status, frameId, bytes, start, end }) =>
          this.#onFrame({ type, status, frameId, body: bytes.slice(start, end) }),
        onBadFrame: (_now, reason) => {
          throw new Error(`the node sent bytes that are no frame: ${reason}`);
        },
      },
      64 * 1024 * 1024,
    );
    this.socket.on("data", (chunk: Buffer) => reader.feed(instant(0), new Uint8Array(chunk)));
    // What breaks a connection is seen as its end.
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      for (const { onLost } of [...this.#waiting.values()]) onLost();
    });
  }

  /** Connects and says hello; rejects if it is refused. */
  static async open(address: string, hello: Fields<Hello> = clientHello): Promise<WireClient> {
    const client = new WireClient(address);
    const reply = await client.ask(FrameType.HELLO, encode(Hello, hello));
    if (reply.status !== 0) throw new Error(`refused: ${messageOf(reply)}`);
    return client;
  }

  #onFrame(frame: Received): void {
    this.frames.push(frame);
    const waiting = this.#waiting.get(frame.frameId);
    this.#waiting.delete(frame.frameId);
    waiting?.onFrame(frame);
  }

  /** Writes bytes as they are. */
  send(bytes: Uint8Array): void {
    if (!this.closed) this.socket.write(bytes);
  }

  /** Sends a request and resolves with its answer; rejects when the connection ends or nothing comes. */
  ask(type: number, body: Uint8Array, boundMs: number = patienceMs): Promise<Received> {
    this.#lastId += 1;
    const frameId = this.#lastId;
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        this.#waiting.delete(frameId);
        clearTimeout(timer);
        reject(new Error(`a request of type ${type}: ${why}`));
      };
      const timer = setTimeout(() => fail(`no answer within ${boundMs} ms`), boundMs);
      const onFrame = (frame: Received): void => {
        clearTimeout(timer);
        resolve(frame);
      };
      this.#waiting.set(frameId, { onFrame, onLost: () => fail("the connection ended before the answer") });
      this.send(frameOf(type, frameId, body));
    });
  }

  /** Asks with messages; rejects on an error answer. */
  async call<Q, A>(type: number, codec: MessageCodec<Q>, message: Fields<Q>, reply: MessageCodec<A>): Promise<A> {
    const answer = await this.ask(type, encode(codec, message));
    if (answer.status !== 0 || answer.type !== (type | REPLY_BIT)) throw new Error(messageOf(answer));
    return decode(reply, answer.body, 0, answer.body.length);
  }

  /** Waits until the far side has ended the connection. */
  async end(boundMs: number = patienceMs): Promise<void> {
    await waitFor("the node ends the connection", () => this.closed, boundMs);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** The message of an error answer. */
export function messageOf(frame: Received): string {
  return decode(ErrorReply, frame.body, 0, frame.body.length).message;
}
