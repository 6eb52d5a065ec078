// The generator against made-up nodes that speak Ringtail's protocol through the TypeScript codec: it must route by the
// ring, put with the newest context, follow a ring that changes under it, try again what another node can cure, and
// write a log and a JSON document that others can read. Run by ctest where Node and `dist` are there:
//
//     node native-bench/test/fake-nodes.mjs <path of ringtail-native-bench>
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HistogramLogReader } from "hdr-histogram-js";

const load = (path) => import(new URL(path, new URL("../../dist/", import.meta.url)));
const codec = await load("wire/codec.js");
const { FrameReader } = await load("wire/frame.js");
const { FrameType, REPLY_BIT } = await load("wire/frame-types.js");
const { Ring } = await load("ring/ring.js");
const { ringToMessage } = await load("wire/ring-codec.js");
const { Hash64, hashKey } = await load("base/hash.js");
const { fullKeyOf } = await load("base/full-key.js");
const { wireOf } = await load("base/errors.js");
const { idBytes } = await load("base/ids.js");

const clusterId = "c0ffee00c0ffee00c0ffee00c0ffee00";
const partitions = 8;
const requestsBeforeChange = 300;
const frameBytesMax = 1 << 20;
const valueBytes = 100;

/** What all made-up nodes share. */
const world = { ring: undefined, next: undefined, requests: 0, counters: new Map(), refused: 0, blind: 0, lastPut: "" };

function ringOf(epoch, ports) {
  const members = ports.map((port, i) => ({
    number: i + 1,
    id: (i + 1).toString(16).padStart(32, "0"),
    name: `fake-${i + 1}`,
    address: `127.0.0.1:${port}`,
    host: `host-${i + 1}`,
    zone: "",
    weight: 1,
    status: "member",
  }));
  return new Ring({
    clusterId,
    epoch,
    partitions,
    replicasMax: 2,
    members,
    owners: Uint16Array.from({ length: partitions }, (_, p) => 1 + (p % ports.length)),
    buckets: [{ name: "", n: 2, r: 1, w: 1, durability: 1, version: 1 }],
  });
}

function frame(type, status, id, body) {
  const out = Buffer.alloc(10 + body.length);
  out.writeUInt32BE(6 + body.length, 0);
  out[4] = type;
  out[5] = status;
  out.writeUInt32BE(id, 6);
  out.set(body, 10);
  return out;
}

/** A context with one entry, whose counter says how often the key was written; it names the node as the fastest. */
function contextOf(counter, number) {
  const bytes = Buffer.alloc(28);
  bytes[0] = 1;
  bytes.writeUInt16LE(number, 10);
  bytes.writeUInt32LE(counter, 16);
  bytes.writeUInt32LE(number * 65_536, 24);
  return bytes;
}

const record = codec.encode(codec.Record, {
  version: [1, 0, 65_536],
  siblings: [{ dots: [1, 0, 65_536], requestId: new Uint8Array(16), value: new Uint8Array(valueBytes), second: 1 }],
  recent: [],
});

class FakeNode {
  constructor(number) {
    this.number = number;
    this.asked = 0;
    this.server = createServer((socket) => this.serve(socket));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return this.server.address().port;
  }

  serve(socket) {
    socket.setNoDelay(true);
    socket.on("error", () => {});
    const reader = new FrameReader(
      {
        onFrame: (_now, type, _status, id, bytes, start, end) => {
          const [status, reply, message] = this.answer(type, bytes, start, end);
          socket.write(frame(type | REPLY_BIT, status, id, codec.encode(reply, message)));
        },
        onBadFrame: (_now, reason) => assert.fail(reason),
      },
      frameBytesMax,
    );
    socket.on("data", (chunk) => reader.feed(0, new Uint8Array(chunk)));
  }

  /** The reply to a frame: status, codec, message. */
  answer(type, bytes, start, end) {
    switch (type) {
      case FrameType.HELLO: {
        const hello = codec.decode(codec.Hello, bytes, start, end);
        assert.equal(hello.role, 1);
        const ids = { clusterId: idBytes(clusterId), nodeId: new Uint8Array(16).fill(this.number) };
        return [0, codec.Hello, { versionMin: 1, versionMax: 1, ...ids, role: 2, number: this.number, epoch: 5 }];
      }
      case FrameType.FETCH_RING: {
        const { epoch } = codec.decode(codec.FetchRingRequest, bytes, start, end);
        const ring = epoch < world.ring.epoch ? ringToMessage(world.ring) : undefined;
        return [0, codec.FetchRingReply, { ring, epoch: world.ring.epoch }];
      }
      case FrameType.GET:
        return this.get(codec.decode(codec.GetRequest, bytes, start, end));
      case FrameType.PUT:
        return this.put(codec.decode(codec.PutRequest, bytes, start, end));
      default:
        return assert.fail(`a client sent type ${type}`);
    }
  }

  /** What every request must be, and what happens with time. */
  look(request) {
    const hash = new Hash64();
    hashKey(fullKeyOf(request.bucket, request.key), hash);
    const list = world.ring.preferenceList(world.ring.partitionOf(hash.high), 2);
    assert.ok(list.includes(this.number), "the key goes to an owner");
    assert.match(Buffer.from(request.key).toString(), /^k0{13}\d\d$/);
    assert.ok(request.timeoutUs > 0 && request.timeoutUs <= 10_000_000);
    this.asked += 1;
    world.requests += 1;
    if (world.requests === requestsBeforeChange) world.ring = world.next;
    const isRefused = this.number === 1 && world.requests % 50 === 0;
    if (isRefused) world.refused += 1;
    return isRefused;
  }

  get(request) {
    if (this.look(request)) return this.refusal();
    const counter = world.counters.get(Buffer.from(request.key).toString()) ?? 0;
    const isThere = counter > 0;
    const common = { epoch: world.ring.epoch, acks: [this.number], coordinator: this.number, elapsedUs: 5 };
    const context = isThere ? contextOf(counter, this.number) : new Uint8Array(0);
    return [
      0,
      codec.GetReply,
      { ...common, record: isThere ? record : new Uint8Array(0), context, stalePossible: false },
    ];
  }

  put(request) {
    if (this.look(request)) return this.refusal();
    assert.equal(request.value.length, valueBytes);
    assert.equal(request.requestId.length, 16);
    assert.ok(request.overwrite);
    const key = Buffer.from(request.key).toString();
    const id = Buffer.from(request.requestId).toString("hex");
    // A put whose answer was lost comes again, with its id: it is the same write.
    const counter = (world.counters.get(key) ?? 0) - (world.lastPut === id ? 1 : 0);
    world.lastPut = id;
    if (request.context.length === 0) world.blind += 1;
    // One client at a time: its context is that of the last answer.
    else assert.equal(Buffer.from(request.context).readUInt32LE(16), counter);
    world.counters.set(key, counter + 1);
    const context = contextOf(counter + 1, this.number);
    const common = { epoch: world.ring.epoch, acks: [this.number], coordinator: this.number, elapsedUs: 5 };
    return [0, codec.PutReply, { ...common, context, forwardedBy: 0, stalePossible: false }];
  }

  refusal() {
    return [wireOf("WRONG_OWNER"), codec.ErrorReply, { message: "not mine", epoch: world.ring.epoch, retryAfterUs: 0 }];
  }
}

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    child.once("close", (code) => resolve({ code, text }));
  });
}

/** Every histogram of a log, with its tag. */
function intervalsOf(path) {
  const reader = new HistogramLogReader(readFileSync(path, "utf8"));
  const intervals = [];
  for (let next = reader.nextIntervalHistogram(); next != null; next = reader.nextIntervalHistogram()) {
    intervals.push({ tag: next.tag, count: next.totalCount, max: next.maxValue });
  }
  return intervals;
}

const generator = process.argv[2];
const directory = mkdtempSync(join(tmpdir(), "native-bench-test-"));
const first = new FakeNode(1);
const second = new FakeNode(2);
const moved = new FakeNode(2);
try {
  const ports = [await first.listen(), await second.listen()];
  const newPort = await moved.listen();
  world.ring = ringOf(5, ports);
  world.next = ringOf(6, [ports[0], newPort]);
  const log = join(directory, "run.hlog");
  const workload = ["--keys", "100", "--value-bytes", String(valueBytes), "--clients", "1"];
  const times = ["--duration", "2", "--warm-up", "0.1", "--timeout-ms", "10000"];
  const { code, text } = await run(generator, [
    ...["--seed-node", `127.0.0.1:${ports[0]}`, "--json", "--hlog", log],
    ...workload,
    ...times,
  ]);
  assert.equal(code, 0);
  const result = JSON.parse(text);

  assert.equal(result.errors, 0, JSON.stringify(result.errorsByCode));
  assert.ok(result.operations > 0 && result.get.operations > 0 && result.put.operations > 0);
  assert.equal(result.operations, result.get.operations + result.put.operations);
  assert.deepEqual(result.load, { read: 0, written: 100 });
  assert.equal(world.blind, 100, "only the load phase puts without a context");
  assert.equal(result.blindPuts, 0);
  assert.equal(result.siblings.max, 1);
  assert.ok(world.refused > 0);
  assert.equal(result.retries >= world.refused, true, "each refusal was tried again");
  assert.ok(second.asked > 0 && moved.asked > 0, "the ring's change moved the traffic");
  assert.ok(moved.asked > second.asked / 10);

  const intervals = intervalsOf(log);
  const counted = (tag) => intervals.filter((one) => one.tag === tag).reduce((sum, { count }) => sum + count, 0);
  assert.equal(counted("GET"), result.get.operations);
  assert.equal(counted("PUT"), result.put.operations);
  const max = Math.max(...intervals.map((one) => one.max)) / 1000;
  assert.ok(Math.abs(max - result.latencyMs.max) <= result.latencyMs.max / 1000, "three digits of the maximum");
  console.log(`${result.operations} operations, ${world.refused} refusals, ${moved.asked} requests after the move: ok`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exit(0);
