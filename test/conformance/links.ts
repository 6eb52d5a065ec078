/**
 * What every transport owes its users (the contract in `src/wire/link.ts`), as one suite that runs on real sockets and
 * on the simulated network alike. A world brings a transport, a way to listen, and a way to let time pass until a
 * condition holds; the suite never waits for a fixed time.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { equalBytes } from "../../src/base/bytes.ts";
import { Rng } from "../../src/base/rng.ts";
import type { Instant } from "../../src/base/time.ts";
import type { Acceptor, Link, LinkEvents, Transport } from "../../src/wire/link.ts";

/** One network to test on. */
export interface LinkWorld {
  readonly transport: Transport;
  /** Listens on an address of the world's choice and returns it. */
  listen(accept: Acceptor): string | Promise<string>;
  /** An address of the right form at which nobody listens. */
  unusedAddress(): string | Promise<string>;
  /** Lets the world go on until `condition` holds; rejects (or throws) when it never does. */
  until(condition: () => boolean): void | Promise<void>;
  close(): void | Promise<void>;
}

/** Writes down what happens on one link, and checks that nothing happens inside a call on it. */
class Witness implements LinkEvents {
  link: Link | undefined;
  inCall = false;
  opened = 0;
  writable = 0;
  closed = 0;
  reason = "";
  bytes = 0;
  chunks: Uint8Array[] = [];
  keep = true;
  echo = false;
  readonly faults: string[] = [];
  lastNow = 0;

  call<T>(act: (link: Link) => T): T {
    this.inCall = true;
    const result = act(this.link as Link);
    this.inCall = false;
    return result;
  }

  #event(now: Instant, name: string): void {
    if (this.inCall) this.faults.push(`${name} inside a call`);
    if (this.closed > 0) this.faults.push(`${name} after onClosed`);
    if (now < this.lastNow) this.faults.push(`${name} went back in time`);
    this.lastNow = now;
  }

  onOpen(now: Instant): void {
    this.#event(now, "onOpen");
    this.opened += 1;
  }

  onBytes(now: Instant, chunk: Uint8Array): void {
    this.#event(now, "onBytes");
    this.bytes += chunk.length;
    if (this.keep) this.chunks.push(chunk.slice());
    if (this.echo) this.call((link) => link.write(chunk.slice()));
    // A chunk is borrowed: what its receiver does to it afterwards must not reach anybody.
    chunk.fill(0xee);
  }

  onWritable(now: Instant): void {
    this.#event(now, "onWritable");
    this.writable += 1;
  }

  onClosed(now: Instant, reason: string): void {
    this.#event(now, "onClosed");
    this.closed += 1;
    this.reason = reason;
  }

  received(): Uint8Array {
    const all = new Uint8Array(this.bytes);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}

function randomBytes(seed: number, count: number): Uint8Array {
  return new Rng(seed).fill(new Uint8Array(count));
}

/** Declares the suite for one kind of world; a fresh world is made for each test. */
export function linkConformance(name: string, makeWorld: () => LinkWorld | Promise<LinkWorld>): void {
  describe(`links: ${name}`, () => {
    let world: LinkWorld;
    let near: Witness;
    let far: Witness;

    beforeEach(async () => {
      world = await makeWorld();
      near = new Witness();
      far = new Witness();
    });

    afterEach(async () => {
      if (near.link !== undefined && near.closed === 0) near.link.destroy();
      if (far.link !== undefined && far.closed === 0) far.link.destroy();
      await world.close();
      expect(near.faults).toEqual([]);
      expect(far.faults).toEqual([]);
    });

    async function connect(): Promise<void> {
      const address = await world.listen((_now, link) => {
        far.link = link;
        return far;
      });
      near.inCall = true;
      near.link = world.transport.connect(address, near);
      near.inCall = false;
      await world.until(() => near.opened === 1 && far.link !== undefined);
    }

    /** Writes all of `bytes` in pieces of at most `piece`, waiting whenever the link asks for it. */
    async function send(witness: Witness, bytes: Uint8Array, piece: number): Promise<number> {
      let waits = 0;
      for (let at = 0; at < bytes.length; at += piece) {
        const asked = witness.writable;
        const consumed = witness.call((link) => link.write(bytes.subarray(at, Math.min(at + piece, bytes.length))));
        if (consumed) continue;
        waits += 1;
        await world.until(() => witness.writable > asked || witness.closed > 0);
      }
      return waits;
    }

    it("opens once, and only the dialled side is told", async () => {
      await connect();
      near.call((link) => link.write(Uint8Array.of(1)));
      await world.until(() => far.bytes === 1);
      expect(near.opened).toBe(1);
      expect(far.opened).toBe(0);
      expect(near.link?.label).not.toBe("");
      expect(far.link?.label).not.toBe("");
    });

    it("delivers every byte in order, both ways at once", async () => {
      await connect();
      const there = randomBytes(1, 300_000);
      const back = randomBytes(2, 200_000);
      await Promise.all([send(near, there, 7_919), send(far, back, 65_536)]);
      await world.until(() => far.bytes === there.length && near.bytes === back.length);
      expect(equalBytes(far.received(), there)).toBe(true);
      expect(equalBytes(near.received(), back)).toBe(true);
    });

    it("lets memory be reused at once after write returned true, and after onWritable otherwise", async () => {
      await connect();
      const slab = new Uint8Array(4_096);
      const expected = new Uint8Array(64 * slab.length);
      for (let round = 0; round < 64; round += 1) {
        slab.fill(round);
        expected.set(slab, round * slab.length);
        await send(near, slab, slab.length);
        slab.fill(0xff);
      }
      await world.until(() => far.bytes === expected.length);
      expect(equalBytes(far.received(), expected)).toBe(true);
    });

    it("may be written from inside onBytes", async () => {
      await connect();
      far.echo = true;
      await send(near, Uint8Array.of(1, 2, 3), 3);
      await world.until(() => near.bytes === 3);
      expect(equalBytes(near.received(), Uint8Array.of(1, 2, 3))).toBe(true);
    });

    it("holds a fast writer back while the reader has paused, and goes on when it resumes", async () => {
      await connect();
      far.keep = false;
      far.call((link) => link.pauseReading());
      const block = randomBytes(3, 1 << 20);
      let written = 0;
      // More than any socket buffer holds: sooner or later a write is not consumed.
      let consumed = true;
      for (let round = 0; round < 64 && consumed; round += 1) {
        consumed = near.call((link) => link.write(block));
        written += block.length;
      }
      expect(consumed).toBe(false);
      expect(near.writable).toBe(0);
      far.call((link) => link.resumeReading());
      await world.until(() => near.writable === 1 && far.bytes === written);
    });

    it("close sends what was written first; both sides are told once", async () => {
      await connect();
      const bytes = randomBytes(4, 100_000);
      near.call((link) => link.write(bytes));
      near.call((link) => link.close());
      await world.until(() => near.closed === 1 && far.closed === 1);
      expect(equalBytes(far.received(), bytes)).toBe(true);
      expect(near.reason).not.toBe("");
      expect(far.reason).not.toBe("");
    });

    it("destroy ends both sides", async () => {
      await connect();
      near.call((link) => link.destroy());
      await world.until(() => near.closed === 1 && far.closed === 1);
    });

    it("does nothing after close, and write then says that the bytes are gone", async () => {
      await connect();
      near.call((link) => link.close());
      expect(near.call((link) => link.write(Uint8Array.of(1)))).toBe(true);
      await world.until(() => near.closed === 1 && far.closed === 1);
      expect(near.call((link) => link.write(Uint8Array.of(1)))).toBe(true);
      near.call((link) => link.close());
      near.call((link) => link.destroy());
      near.call((link) => link.pauseReading());
      near.call((link) => link.resumeReading());
      expect(far.bytes).toBe(0);
      expect(near.closed).toBe(1);
    });

    it("delivers nothing after destroy, even if bytes are on their way", async () => {
      await connect();
      far.call((link) => link.write(randomBytes(5, 50_000)));
      near.call((link) => link.destroy());
      await world.until(() => near.closed === 1);
      expect(near.bytes).toBe(0);
    });

    it("a link that was accepted but refused is closed at the dialler", async () => {
      const address = await world.listen(() => undefined);
      near.link = world.transport.connect(address, near);
      await world.until(() => near.closed === 1);
    });

    it("an address where nobody listens ends in onClosed, with a reason for people", async () => {
      const address = await world.unusedAddress();
      near.inCall = true;
      near.link = world.transport.connect(address, near);
      near.inCall = false;
      await world.until(() => near.closed === 1);
      expect(near.opened).toBe(0);
      expect(near.reason).toContain(address);
    });

    it("a malformed address ends in onClosed and throws nothing", async () => {
      near.inCall = true;
      near.link = world.transport.connect("nowhere", near);
      near.inCall = false;
      await world.until(() => near.closed === 1);
      expect(near.opened).toBe(0);
      expect(near.reason).toContain("nowhere");
    });

    it("a dial may be given up before it is through", async () => {
      const address = await world.listen((_now, link) => {
        far.link = link;
        return far;
      });
      near.link = world.transport.connect(address, near);
      near.call((link) => link.destroy());
      await world.until(() => near.closed === 1);
      expect(near.opened).toBe(0);
    });

    it("keeps many links apart", async () => {
      const received = new Map<number, number>();
      const address = await world.listen(() => {
        const witness = new Witness();
        witness.onBytes = (_now, chunk) => {
          for (const byte of chunk) received.set(byte, (received.get(byte) ?? 0) + 1);
        };
        return witness;
      });
      const all: Witness[] = [];
      for (let i = 0; i < 20; i += 1) {
        const witness = new Witness();
        witness.link = world.transport.connect(address, witness);
        all.push(witness);
      }
      await world.until(() => all.every((witness) => witness.opened === 1));
      for (let i = 0; i < all.length; i += 1) {
        (all[i] as Witness).call((link) => link.write(new Uint8Array(100).fill(i)));
      }
      await world.until(() => [...received.values()].reduce((sum, count) => sum + count, 0) === 2_000);
      for (let i = 0; i < all.length; i += 1) expect(received.get(i)).toBe(100);
      for (const witness of all) witness.link?.destroy();
      await world.until(() => all.every((witness) => witness.closed === 1));
    });
  });
}
