/**
 * What every carrier of datagrams owes its users (the contract in `src/wire/datagrams.ts`), as one suite that runs on real
 * UDP sockets and on the simulated network alike. Datagrams may be lost, so the suite sends again until one has come.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Rng } from "../../src/base/rng.ts";
import type { Instant } from "../../src/base/time.ts";
import type { DatagramEvents, Datagrams } from "../../src/wire/datagrams.ts";
import { datagramBytesMax } from "../../src/wire/limits.ts";

/** One network to test on. */
export interface DatagramWorld {
  /** A new socket and its address. */
  bind(): { socket: Datagrams; address: string } | Promise<{ socket: Datagrams; address: string }>;
  /** An address of the right form at which nobody listens. */
  unusedAddress(): string | Promise<string>;
  /** Lets the world go on until `condition` holds, calling `again` now and then; rejects when it never does. */
  until(condition: () => boolean, again?: () => void): void | Promise<void>;
  close(): void | Promise<void>;
}

class Witness implements DatagramEvents {
  readonly received: { readonly from: string; readonly bytes: Uint8Array }[] = [];
  readonly faults: string[] = [];
  inCall = false;
  lastNow = 0;

  onDatagram(now: Instant, from: string, bytes: Uint8Array): void {
    if (this.inCall) this.faults.push("onDatagram inside a call");
    if (now < this.lastNow) this.faults.push("time went back");
    this.lastNow = now;
    this.received.push({ from, bytes: bytes.slice() });
    // Datagrams are borrowed: what their receiver does to them must not reach anybody.
    bytes.fill(0xee);
  }
}

/** Declares the suite for one kind of world; a fresh world is made for each test. */
export function datagramConformance(name: string, makeWorld: () => DatagramWorld | Promise<DatagramWorld>): void {
  describe(`datagrams: ${name}`, () => {
    let world: DatagramWorld;
    let near: Datagrams;
    let far: Datagrams;
    let nearAddress = "";
    let farAddress = "";
    let atNear: Witness;
    let atFar: Witness;

    beforeEach(async () => {
      world = await makeWorld();
      ({ socket: near, address: nearAddress } = await world.bind());
      ({ socket: far, address: farAddress } = await world.bind());
      atNear = new Witness();
      atFar = new Witness();
      near.attach(atNear);
      far.attach(atFar);
    });

    afterEach(async () => {
      await world.close();
      expect(atNear.faults).toEqual([]);
      expect(atFar.faults).toEqual([]);
    });

    function send(bytes: Uint8Array): void {
      atNear.inCall = true;
      atFar.inCall = true;
      near.send(farAddress, bytes);
      atNear.inCall = false;
      atFar.inCall = false;
    }

    it("delivers what was sent, and says where an answer goes", async () => {
      const bytes = new Rng(1).fill(new Uint8Array(datagramBytesMax));
      await world.until(
        () => atFar.received.length > 0,
        () => send(bytes),
      );
      expect(atFar.received[0]?.bytes).toEqual(bytes);
      expect(atFar.received[0]?.from).toBe(nearAddress);
      const answer = Uint8Array.of(1, 2, 3);
      await world.until(
        () => atNear.received.length > 0,
        () => far.send(atFar.received[0]?.from as string, answer),
      );
      expect(atNear.received[0]?.bytes).toEqual(answer);
    });

    it("lets the sender reuse its memory at once", async () => {
      const buffer = new Uint8Array(100);
      await world.until(
        () => atFar.received.length > 20,
        () => {
          buffer.fill(7);
          send(buffer);
          buffer.fill(0xff);
        },
      );
      for (const { bytes } of atFar.received) expect(bytes).toEqual(new Uint8Array(100).fill(7));
    });

    it("keeps datagrams apart, whatever their order", async () => {
      const seen = new Set<number>();
      let round = 0;
      await world.until(
        () => {
          for (const { bytes } of atFar.received) {
            expect(bytes).toEqual(new Uint8Array(bytes.length).fill(bytes.length));
            seen.add(bytes.length);
          }
          return seen.size === 50;
        },
        () => {
          round = (round % 50) + 1;
          send(new Uint8Array(round).fill(round));
        },
      );
    });

    it("loses, counts and survives what cannot be sent", async () => {
      const before = near.counters.dropped;
      near.send(farAddress, new Uint8Array(datagramBytesMax + 1));
      near.send(farAddress, new Uint8Array(0));
      expect(near.counters.dropped).toBe(before + 2);
      near.send("nowhere", Uint8Array.of(1));
      near.send("127.0.0.1:0", Uint8Array.of(1));
      near.send(await world.unusedAddress(), Uint8Array.of(1));
      await world.until(
        () => atFar.received.length > 0,
        () => send(Uint8Array.of(9)),
      );
      expect(atFar.received[0]?.bytes).toEqual(Uint8Array.of(9));
    });

    it("counts what it sends and receives", async () => {
      await world.until(
        () => atFar.received.length >= 5 && near.counters.sent >= 5,
        () => send(Uint8Array.of(1)),
      );
      expect(far.counters.received).toBe(atFar.received.length);
    });
  });
}
