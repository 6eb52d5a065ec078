/**
 * Asking one node one thing: dial, hello, request, answer, close. For the command line and for supervisors, which talk to
 * single nodes; applications use the client, which talks to the cluster.
 */
import { codeOf, RingtailError, statusOk } from "../base/errors.ts";
import { softwareName } from "../base/version.ts";
import type { Fields, MessageCodec } from "../wire/codec.ts";
import { type Frame, FrameReader, FrameWriter } from "../wire/frame.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import { ErrorReply, Hello } from "../wire/gen/codecs.ts";
import { protocolVersions, Role } from "../wire/hello.ts";
import { frameBytesMax } from "../wire/limits.ts";
import { WireError } from "../wire/wire-error.ts";
import { systemClock } from "./clock.ts";
import { TcpTransport } from "./tcp.ts";

/** One question; its answer is a message of `reply`. */
export interface Question<Q, A> {
  readonly address: string;
  /** Of the frame. */
  readonly type: number;
  readonly codec: MessageCodec<Q>;
  readonly message: Fields<Q>;
  readonly reply: MessageCodec<A>;
  readonly timeoutMs: number;
}

/** Asks, and resolves with the answer; rejects with `RingtailError`. */
export function ask<Q, A>(question: Question<Q, A>): Promise<A> {
  const { address, timeoutMs } = question;
  return new Promise<A>((resolve, reject) => {
    const finish = (end: () => void): void => {
      clearTimeout(timer);
      end();
      link.destroy();
    };
    const fail = (code: "CONNECTION_LOST" | "DEADLINE_EXCEEDED" | "PROTOCOL_MISMATCH", message: string): void =>
      finish(() => reject(new RingtailError(code, message)));
    const timer = setTimeout(
      () => fail("DEADLINE_EXCEEDED", `${address} did not answer within ${timeoutMs} ms`),
      timeoutMs,
    );
    let writer: FrameWriter | undefined;
    const onFrame = (frame: Frame): void => {
      const { type, status } = frame;
      if (status !== statusOk) {
        const { message } = frame.decode(ErrorReply);
        finish(() => reject(new RingtailError(codeOf(status), `${address}: ${message}`)));
      } else if (type === (FrameType.HELLO | REPLY_BIT)) {
        writer?.send(question.type, 0, 1, question.codec, question.message as never);
        writer?.flush();
      } else if (type === (question.type | REPLY_BIT)) {
        // A copy: the answer's bytes fields are views, and the chunk is borrowed.
        const answer = frame.copy().decode(question.reply);
        finish(() => resolve(answer));
      }
    };
    const reader = new FrameReader(
      {
        onFrame: (_now, frame) => {
          try {
            onFrame(frame);
          } catch (error) {
            if (!(error instanceof WireError)) throw error;
            fail("PROTOCOL_MISMATCH", `${address}: ${error.message}`);
          }
        },
        onBadFrame: (_now, reason) =>
          fail("PROTOCOL_MISMATCH", `${address} sent what is no frame of Ringtail's: ${reason}`),
      },
      frameBytesMax,
    );
    const link = new TcpTransport(systemClock).connect(address, {
      onOpen: () => {
        writer = new FrameWriter(link, { queuedBytesMax: 1 << 24 }, () => {});
        const { min: versionMin, max: versionMax } = protocolVersions;
        const { pid } = process;
        writer.send(FrameType.HELLO, 0, 0, Hello, {
          versionMin,
          versionMax,
          role: Role.client,
          software: softwareName,
          pid,
        });
        writer.flush();
      },
      onBytes: (now, chunk) => reader.feed(now, chunk),
      onWritable: () => writer?.onWritable(),
      onClosed: (_now, reason) => fail("CONNECTION_LOST", reason),
    });
  });
}
