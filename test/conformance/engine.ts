/** What every engine must do (storage/engine.ts), as a suite: run on the simulated disk and on RocksDB. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hexOf, utf8 } from "../../src/base/bytes.ts";
import type { Engine } from "../../src/storage/engine.ts";
import type { EngineHost } from "../support/engine-host.ts";
import { EngineRecorder } from "../support/engine-recorder.ts";

function key(text: string): Uint8Array {
  return new Uint8Array([0x10, ...utf8(text)]);
}

const from = new Uint8Array([0x10]);
const to = new Uint8Array([0x11]);

/** `makeHost` gives a fresh, empty host. */
export function engineConformance(makeHost: () => EngineHost): void {
  let host: EngineHost;
  let engine: Engine;
  let seen: EngineRecorder;

  async function reopen(): Promise<void> {
    engine = await host.open();
    seen = new EngineRecorder();
    engine.attach(seen);
  }

  async function close(): Promise<void> {
    engine.close();
    await host.until(() => seen.closed);
  }

  async function put(entries: readonly (readonly [string, string])[], token: number): Promise<void> {
    const batch = engine.batch();
    for (const [name, value] of entries) batch.put(key(name), utf8(value));
    engine.write(batch, token);
    await host.until(() => seen.find("written", token) !== undefined);
  }

  async function get(name: string, token: number): Promise<string | null> {
    engine.get(key(name), token);
    await host.until(() => seen.find("got", token) !== undefined);
    const answer = seen.find("got", token);
    expect(answer?.error).toBeNull();
    return answer?.value ? new TextDecoder().decode(answer.value) : null;
  }

  async function scanAll(keysMax: number, bytesMax: number): Promise<{ names: string[]; pages: number }> {
    const names: string[] = [];
    let cursor = from;
    for (let pages = 1; ; pages += 1) {
      engine.scan({ from: cursor, to, keysMax, bytesMax }, 1000 + pages);
      await host.until(() => seen.find("scanned", 1000 + pages) !== undefined);
      const page = seen.find("scanned", 1000 + pages)?.page;
      if (page === null || page === undefined) throw new Error("no page");
      expect(page.keys.length).toBeLessThanOrEqual(keysMax);
      for (const found of page.keys) names.push(new TextDecoder().decode(found.subarray(1)));
      const last = page.keys.at(-1);
      if (page.done || last === undefined) return { names, pages };
      cursor = new Uint8Array([...last, 0]);
    }
  }

  describe("engine", () => {
    beforeEach(async () => {
      host = makeHost();
      await reopen();
    });

    afterEach(async () => {
      if (!seen.closed) await close();
      await host.dispose();
    });

    test("gives plain arrays, not Buffers: their slice copies, and compiled code knows one class of bytes", async () => {
      await put([["a", "1"]], 1);
      await get("a", 2);
      await scanAll(10, 1_000);
      const page = seen.find("scanned", 1001)?.page;
      const given = [seen.find("got", 2)?.value, page?.keys[0], page?.values[0]];
      for (const bytes of given) expect(bytes?.constructor).toBe(Uint8Array);
    });

    test("gives back what was written, and null for what was not or no longer is", async () => {
      await put([["a", "1"]], 1);
      expect(await get("a", 2)).toBe("1");
      expect(await get("b", 3)).toBeNull();
      const batch = engine.batch();
      batch.del(key("a"));
      engine.write(batch, 4);
      await host.until(() => seen.find("written", 4) !== undefined);
      expect(await get("a", 5)).toBeNull();
    });

    test("knows about how many bytes it holds", async () => {
      const before = engine.dataBytes();
      await put([["a", "1".repeat(100_000)]], 1);
      const grown = engine.dataBytes() - before;
      expect(grown).toBeGreaterThanOrEqual(100_000);
      expect(grown).toBeLessThan(200_000);
    });

    test("a batch is applied whole, the last word on a key wins, and it knows its bytes", async () => {
      const batch = engine.batch();
      batch.put(key("a"), utf8("1"));
      batch.put(key("b"), utf8("2"));
      batch.put(key("a"), utf8("333"));
      batch.del(key("b"));
      expect(batch.bytes).toBe(2 + 1 + 2 + 1 + 2 + 3 + 2);
      engine.write(batch, 1);
      await host.until(() => seen.find("written", 1) !== undefined);
      expect(await get("a", 2)).toBe("333");
      expect(await get("b", 3)).toBeNull();
    });

    test("does not answer inside the call", () => {
      const batch = engine.batch();
      batch.put(key("a"), utf8("1"));
      engine.write(batch, 1);
      engine.sync(2, 1);
      engine.get(key("a"), 3);
      engine.scan({ from, to, keysMax: 1, bytesMax: 1 }, 4);
      expect(seen.answers).toEqual([]);
    });

    test("batches written at once take effect in the order of the calls", async () => {
      for (let round = 0; round < 40; round += 1) {
        for (let i = 0; i < 8; i += 1) {
          const batch = engine.batch();
          batch.put(key("k"), utf8(`${round}/${i}`));
          engine.write(batch, round * 8 + i);
        }
        await host.until(() => seen.count("written") === (round + 1) * 8);
        expect(await get("k", round)).toBe(`${round}/7`);
        seen.answers.splice(
          seen.answers.findIndex((answer) => answer.kind === "got"),
          1,
        );
      }
      expect(seen.answers.map((answer) => answer.token)).toEqual(Array.from({ length: 320 }, (_, i) => i));
    });

    test("does not mind when keys and values are changed after the call, or come as views", async () => {
      const memory = new Uint8Array(64).fill(7);
      const view = memory.subarray(8, 12);
      const name = key("v");
      const batch = engine.batch();
      batch.put(name, view);
      memory.fill(0);
      name.fill(0);
      engine.write(batch, 1);
      await host.until(() => seen.find("written", 1) !== undefined);
      engine.get(key("v"), 2);
      await host.until(() => seen.find("got", 2) !== undefined);
      expect(hexOf(seen.find("got", 2)?.value as Uint8Array)).toBe("07070707");
    });

    test("syncs are answered, also while batches are in flight and when many are asked for", async () => {
      for (let i = 0; i < 20; i += 1) {
        const batch = engine.batch();
        batch.put(key(`k${i}`), utf8("v"));
        engine.write(batch, i);
        engine.sync(i, 1);
      }
      await host.until(() => seen.count("synced") === 20 && seen.count("written") === 20);
      expect(seen.answers.filter((answer) => answer.error !== null)).toEqual([]);
    });

    test("pages of a scan join to the whole range in byte order, within their limits", async () => {
      const names = Array.from({ length: 500 }, (_, i) => `k${(i * 7919) % 500}`);
      await put(
        names.map((name) => [name, "x".repeat(20)] as const),
        1,
      );
      const sorted = [...names].sort();
      const byKeys = await scanAll(64, 1_000_000);
      expect(byKeys.names).toEqual(sorted);
      expect(byKeys.pages).toBeGreaterThanOrEqual(8);
      seen.answers.length = 0;
      const byBytes = await scanAll(1000, 1000);
      expect(byBytes.names).toEqual(sorted);
      expect(byBytes.pages).toBeGreaterThan(8);
      seen.answers.length = 0;
      expect((await scanAll(1, 1)).names).toEqual(sorted);
    });

    test("a scan of nothing is a page that is done", async () => {
      engine.scan({ from, to, keysMax: 10, bytesMax: 10 }, 1);
      await host.until(() => seen.find("scanned", 1) !== undefined);
      expect(seen.find("scanned", 1)?.page).toEqual({ keys: [], values: [], done: true });
    });

    test("close answers everything asked before it, and refuses what comes after", async () => {
      for (let i = 0; i < 20; i += 1) {
        const batch = engine.batch();
        batch.put(key(`k${i}`), utf8("v"));
        engine.write(batch, i);
        engine.get(key(`k${i}`), i);
        engine.scan({ from, to, keysMax: 100, bytesMax: 1000 }, i);
      }
      engine.sync(0, 1);
      engine.close();
      await host.until(() => seen.closed);
      expect([seen.count("written"), seen.count("got"), seen.count("scanned"), seen.count("synced")]).toEqual([
        20, 20, 20, 1,
      ]);
      engine.get(key("k1"), 100);
      engine.sync(100, 1);
      engine.scan({ from, to, keysMax: 1, bytesMax: 1 }, 100);
      const batch = engine.batch();
      batch.put(key("late"), utf8("v"));
      engine.write(batch, 100);
      engine.close();
      await host.until(() => seen.answers.filter((answer) => answer.token === 100).length === 4);
      expect(seen.answers.filter((answer) => answer.token === 100 && answer.error === null)).toEqual([]);
    });

    test("finds everything again when it is opened anew", async () => {
      await put([["a", "1"]], 1);
      await put([["b", "2"]], 2);
      await close();
      await reopen();
      expect(await get("a", 1)).toBe("1");
      expect((await scanAll(10, 100)).names).toEqual(["a", "b"]);
    });
  });
}
