/**
 * SimOperator: somebody at a command line in the simulated world, asking one node one thing at a time in the client
 * protocol's own bytes, as `io/ask.ts` does in the real one. Its answers, and that there was none, are values.
 */
import { codeOf, type ErrorCode, statusOk } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { Fields, MessageCodec } from "../wire/codec.ts";
import { ErrorReply } from "../wire/gen/codecs.ts";
import type { LinkEvents } from "../wire/link.ts";
import { ClientLink } from "./client-link.ts";
import type { Network } from "./network.ts";
import type { Place } from "./place.ts";
import type { Action } from "./scheduler.ts";

/** One question. */
export interface OperatorQuestion<Q, A> {
  readonly address: string;
  /** Of the frame. */
  readonly type: number;
  readonly codec: MessageCodec<Q>;
  readonly message: Fields<Q>;
  readonly reply: MessageCodec<A>;
}

/** What came of a question; `code` is null where there is a reply. */
export interface OperatorAnswer<A> {
  readonly reply: A | null;
  readonly code: ErrorCode | null;
  readonly message: string;
}

export class SimOperator implements Place {
  readonly name = "operator";
  readonly position: number;
  readonly life = 1;
  readonly alive = true;
  readonly powered = true;
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
    this.position = network.size;
    network.add(this, undefined);
  }

  enter(now: Instant, _life: number, entry: Action): void {
    entry(now);
  }

  accept(): LinkEvents | undefined {
    return undefined;
  }

  /** Asks over a connection of its own; `done` is called once, later, or never if neither answer nor loss comes. */
  ask<Q, A>(question: OperatorQuestion<Q, A>, done: (now: Instant, answer: OperatorAnswer<A>) => void): void {
    const { address, type, codec, message, reply } = question;
    const link = new ClientLink(address, this.#network.transport(this));
    link.request(type, codec, message, {
      onAnswer: (now, frame) => {
        // A copy: the answer's bytes fields are views, and the chunk is borrowed.
        const { status } = frame;
        const own = frame.copy();
        if (status === statusOk) {
          done(now, { reply: own.decode(reply), code: null, message: "" });
          return;
        }
        const failure = own.decode(ErrorReply);
        done(now, { reply: null, code: codeOf(status), message: failure.message });
      },
      onLost: (now) => done(now, { reply: null, code: "CONNECTION_LOST", message: "" }),
      onAnswerSent: () => {},
    });
  }
}
