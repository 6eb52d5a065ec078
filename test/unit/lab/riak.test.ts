/**
 * The Riak driver against a small server that speaks its frames: bytes out of the protocol's description, a second protobuf
 * implementation on the server's side, and a load of the real generator with contexts that must come back.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { PbfReader, PbfWriter } from "pbf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBench } from "../../../src/lab/bench.ts";
import { type Driver, DriverSystem } from "../../../src/lab/driver-target.ts";
import { workloads } from "../../../src/lab/workloads.ts";
// @ts-expect-error: JavaScript, without types of its own.
import * as riak from "../../../tools/versus/systems/riak.mjs";

const { getFrame, putFrame, answerOf, connect } = riak as {
  getFrame(key: Uint8Array): Buffer;
  putFrame(key: Uint8Array, value: Uint8Array, context: Uint8Array): Buffer;
  answerOf(body: Uint8Array): { context: Uint8Array; siblings: number; valueBytes: number | undefined };
  connect(address: string): Promise<Driver>;
};

const text = (of: string): Uint8Array => new TextEncoder().encode(of);

/** Fields of one level by number. */
function read(bytes: Uint8Array): Map<number, Uint8Array | number> {
  return new PbfReader(bytes).readFields((tag, fields, pbf) => {
    fields.set(tag, tag === 11 ? pbf.readVarint() : pbf.readBytes());
  }, new Map<number, Uint8Array | number>());
}

/** A key's value, with a context that counts its writes; a put must bring the one before, or a sibling stays. */
class SmallRiak {
  readonly data: Map<string, { value: Uint8Array; writes: number }> = new Map();
  strayContexts = 0;
  failNext = false;
  readonly server: Server = createServer((socket) => this.#serve(socket));

  #serve(socket: Socket): void {
    let held = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
        const length = held.readUInt32BE(0);
        const [code, body] = this.#answer(held[4] as number, held.subarray(5, 4 + length));
        const head = Buffer.alloc(5);
        head.writeUInt32BE(1 + body.length);
        head[4] = code;
        // In two parts, as TCP may.
        socket.write(head.subarray(0, 3));
        socket.write(Buffer.concat([head.subarray(3), body]));
        held = held.subarray(4 + length);
      }
    });
  }

  #answer(code: number, body: Uint8Array): [number, Uint8Array] {
    const fields = read(body);
    const key = Buffer.from(fields.get(2) as Uint8Array).toString();
    const known = this.data.get(key);
    const out = new PbfWriter();
    if (this.failNext) {
      this.failNext = false;
      out.writeBytesField(1, text("overload"));
      out.writeVarintField(2, 1);
      return [0, out.finish()];
    }
    if (code === 9) {
      if (known === undefined) return [10, out.finish()];
      out.writeMessage(1, (value: Uint8Array, pbf: PbfWriter) => pbf.writeBytesField(1, value), known.value);
      out.writeBytesField(2, text(String(known.writes)));
      return [10, out.finish()];
    }
    const context = fields.get(3) as Uint8Array | undefined;
    if (Number(Buffer.from(context ?? text("0")).toString()) > (known?.writes ?? 0)) this.strayContexts += 1;
    expect(fields.get(11)).toBe(1);
    const value = read(fields.get(4) as Uint8Array).get(1) as Uint8Array;
    const writes = (known?.writes ?? 0) + 1;
    this.data.set(key, { value: value.slice(), writes });
    out.writeBytesField(2, text(String(writes)));
    return [12, out.finish()];
  }
}

const small = new SmallRiak();
let address = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => small.server.listen(0, "127.0.0.1", resolve));
  address = `127.0.0.1:${(small.server.address() as AddressInfo).port}`;
});
afterAll(() => small.server.close());

describe("bytes", () => {
  it("a get names bucket and key", () => {
    expect(getFrame(text("k1")).toString("hex")).toBe(`0000000c${"09"}${"0a05"}62656e6368${"1202"}6b31`);
  });

  it("a put brings context and content, and asks for the next context", () => {
    expect(putFrame(text("k1"), text("v"), text("c")).toString("hex")).toBe(
      `00000016${"0b"}${"0a05"}62656e6368${"1202"}6b31${"1a01"}63${"2203"}0a0176${"5801"}`,
    );
    expect(putFrame(text("k1"), text("v"), new Uint8Array(0)).toString("hex")).not.toContain("1a01");
  });

  it("an answer tells siblings, passes deletions over, and an empty one is no value", () => {
    const deleted = Buffer.from("0a020a00".replace("0a00", "5801"), "hex");
    const live = Buffer.from("0a050a03616263", "hex");
    const context = Buffer.from("120178", "hex");
    const two = answerOf(Buffer.concat([deleted, live, context]));
    expect(two).toMatchObject({ siblings: 2, valueBytes: 3 });
    expect([...two.context]).toEqual([0x78]);
    expect(answerOf(deleted)).toMatchObject({ siblings: 1, valueBytes: undefined });
    expect(answerOf(new Uint8Array(0))).toMatchObject({ siblings: 0, valueBytes: undefined });
  });
});

it("an error of Riak's fails the operation and is told", async () => {
  const driver = await connect(address);
  small.failNext = true;
  await expect(driver.get(text("k1"))).rejects.toMatchObject({ message: "Riak: overload" });
  await expect(driver.get(text("k1"))).resolves.toMatchObject({ siblings: 0 });
  await driver.close();
});

it("nobody listens: rejected", () => expect(connect("127.0.0.1:1")).rejects.toThrow(/ECONNREFUSED/));

it("the generator loads it and runs, each put with the context of the answer before", async () => {
  const plan = {
    ...{ mode: "closed" as const, clients: 4, rate: null, arrivals: null, pacing: null },
    ...{
      durationSeconds: 0.4,
      warmUpSeconds: 0.1,
      connections: 1,
      coordination: "node" as const,
      inFlightMax: 100,
      seed: 1,
    },
  };
  const workload = { ...(workloads.a as (typeof workloads)[string]), keys: 50, valueBytes: 20 };
  const options = {
    seedNodes: [],
    workload,
    plan,
    load: "auto" as const,
    timeoutMs: 1_000,
    processes: 1,
    prior: false,
  };
  const silent = { onLoading() {}, onKeys() {}, onLoaded() {}, onRunning() {}, onSecond() {}, onRunEnded() {} };
  const connectRiak = async (): Promise<DriverSystem> => new DriverSystem(await connect(address));
  const { result } = await runBench({ ...options, keepsIntervals: false, hiccups: false }, silent, connectRiak);
  expect(result.load).toEqual({ read: 0, written: 50 });
  expect(result).toMatchObject({ errors: 0, blindPuts: 0, siblings: { max: 1 } });
  expect(result.operations).toBeGreaterThan(20);
  expect(small.data.size).toBe(50);
  expect([...small.data.values()].every(({ value }) => value.length === 20)).toBe(true);
  expect(small.strayContexts).toBe(0);
});
