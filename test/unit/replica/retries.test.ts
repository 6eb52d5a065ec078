/** Retries: the bounded memory of recent request ids. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Instant, instant } from "../../../src/base/time.ts";
import { Retries } from "../../../src/replica/retries.ts";
import type { Dot } from "../../../src/version/version-vector.ts";

function idOf(name: number): Uint8Array {
  const id = new Uint8Array(16);
  id[0] = name;
  id[15] = 255 - name;
  return id;
}

function dotOf(counter: number): Dot {
  return { actorHigh: 0x8001_0000, actorLow: 0xffff_0000, counter };
}

describe("retries", () => {
  it("knows a recent put by request id and key", () => {
    const retries = new Retries({ entriesMax: 8, window: 1000 });
    retries.add(instant(5), idOf(1), 0xffff_ffff, 7, dotOf(3));
    expect(retries.find(instant(6), idOf(1), 0xffff_ffff, 7)).toEqual(dotOf(3));
    expect(retries.find(instant(6), idOf(2), 0xffff_ffff, 7)).toBeUndefined();
  });

  it("takes one id under another key for another write", () => {
    const retries = new Retries({ entriesMax: 8, window: 1000 });
    retries.add(instant(5), idOf(1), 6, 7, dotOf(3));
    expect(retries.find(instant(6), idOf(1), 6, 8)).toBeUndefined();
    expect(retries.find(instant(6), idOf(1), 5, 7)).toBeUndefined();
  });

  it("forgets after the window", () => {
    const retries = new Retries({ entriesMax: 8, window: 1000 });
    retries.add(instant(5), idOf(1), 6, 7, dotOf(3));
    expect(retries.find(instant(1005), idOf(1), 6, 7)).toEqual(dotOf(3));
    expect(retries.find(instant(1006), idOf(1), 6, 7)).toBeUndefined();
  });

  it("agrees with a list that is searched from its end", () => {
    const step = fc.record({ add: fc.boolean(), id: fc.integer({ min: 0, max: 12 }), wait: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(1, 4, 8), (steps, entriesMax) => {
        const window = 100;
        const retries = new Retries({ entriesMax, window });
        const naive: { id: number; at: number; counter: number }[] = [];
        let now = 0;
        for (const { add, id, wait } of steps) {
          now += wait;
          if (add) {
            naive.push({ id, at: now, counter: naive.length + 1 });
            retries.add(now as Instant, idOf(id), 1, id, dotOf(naive.length));
          } else {
            const known = naive.slice(-entriesMax).findLast((put) => put.id === id && now - put.at <= window);
            expect(retries.find(now as Instant, idOf(id), 1, id)?.counter).toBe(known?.counter);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("grows with the puts it sees, up to its limit, and forgets none before that", () => {
    const retries = new Retries({ entriesMax: 4096, window: 1_000_000 });
    const found = (id: number): number | undefined => retries.find(instant(0), wideId(id), 1, id)?.counter;
    for (let id = 1; id <= 4096; id += 1) {
      retries.add(instant(0), wideId(id), 1, id, dotOf(id));
      if (id === 1024 || id === 1025 || id === 2049)
        for (let old = 1; old <= id; old += 1) expect(found(old)).toBe(old);
    }
    for (let id = 1; id <= 4096; id += 1) expect(found(id)).toBe(id);
    for (let id = 4097; id <= 5000; id += 1) retries.add(instant(0), wideId(id), 1, id, dotOf(id));
    expect([found(904), found(905), found(5000)]).toEqual([undefined, 905, 5000]);
  });
});

function wideId(id: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(3, id);
  return bytes;
}
