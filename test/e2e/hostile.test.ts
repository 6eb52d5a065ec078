/**
 * Hostile and malformed input on the live sockets of a real node, as a client, as a node, and as nobody: whatever comes
 * ends in an error answer or a closed connection. The node is the same process afterwards, answers others all the while,
 * and its memory stays bounded.
 */
import { createSocket } from "node:dgram";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crc32c } from "../../src/base/crc32c.ts";
import { codeOf, type ErrorCode } from "../../src/base/errors.ts";
import { Rng } from "../../src/base/rng.ts";
import { writeWord } from "../../src/base/words.ts";
import { type Bucket, RingtailClient, text } from "../../src/index.ts";
import { datagramHeaderBytes } from "../../src/membership/packets.ts";
import type { Member, Ring } from "../../src/ring/ring.ts";
import { decode, encode, type Fields, type MessageCodec } from "../../src/wire/codec.ts";
import { FrameType } from "../../src/wire/frame-types.ts";
import {
  FetchRingReply,
  FetchRingRequest,
  GetRequest,
  Hello,
  PutRequest,
  ReplicaReadReply,
  ReplicaReadRequest,
  ReplicaWriteRequest,
  ReportReply,
  StatusReply,
  StatusRequest,
} from "../../src/wire/gen/codecs.ts";
import { Role } from "../../src/wire/hello.ts";
import { ringFromMessage } from "../../src/wire/ring-codec.ts";
import {
  cleanUp,
  jsonOf,
  logOf,
  type NodeProcess,
  patienceMs,
  residentMiB,
  UpCluster,
  waitFor,
} from "../support/e2e.ts";
import { clientHello, frameOf, messageOf, type Received, WireClient } from "../support/wire-client.ts";
import { codecNamed } from "../unit/wire/schema.ts";
import { messageVectors } from "../unit/wire/vectors.ts";

/**
 * What a node may grow by although nothing leaks: its object buffer (64 MiB) and the engine's memtable (64 MiB) fill with
 * what was stored, and the heap and the allocator keep some tens of MiB (110 to 170 MiB in all were seen). An attack that
 * is not bounded takes gigabytes: 4 MiB for each connection that leaves a frame unfinished.
 */
const objectBufferMiB = 64;
const memoryGrowthMaxMiB = 256;
/** Nobody else may notice: so long may a get through another connection take, on a machine that runs other tests too. */
const answerMs = 3_000;

let cluster: UpCluster;
/** The node under attack; it is never started again, so that a crash is seen. */
let target: NodeProcess;
let ring: Ring;
let client: RingtailClient;
let good: Bucket<string>;
let memoryBefore = 0;
const silent: WireClient[] = [];
const unfinished: WireClient[] = [];

beforeAll(async () => {
  cluster = await UpCluster.start({
    flags: ["--no-restart"],
    env: { RINGTAIL_OBJECT_BUFFER_MIB: String(objectBufferMiB) },
  });
  target = cluster.node("n1");
  client = await RingtailClient.connect({ seedNodes: [target.address] });
  good = client.bucket("good", { codec: text });
  await good.put("key", "value");
  const wire = await WireClient.open(target.address);
  const reply = await wire.call(FrameType.FETCH_RING, FetchRingRequest, {}, FetchRingReply);
  if (reply.ring === null) throw new Error("no ring");
  ring = ringFromMessage(reply.ring);
  wire.close();
  memoryBefore = residentMiB(target.pid);
  // These are looked at in the last test: they take seconds, and disturb nobody meanwhile.
  for (let i = 0; i < 300; i += 1) silent.push(new WireClient(target.address));
  for (let i = 0; i < 20; i += 1) unfinished.push(await WireClient.open(target.address));
  for (const one of unfinished) one.send(frameOf(FrameType.PUT, 1, new Uint8Array(4_000_000)).subarray(0, 200_000));
});
afterAll(async () => {
  await client?.close();
  await cleanUp();
});

/** The same process answers a get through a connection of its own, soon. */
async function expectUnharmed(): Promise<void> {
  const wire = await WireClient.open(target.address);
  const got = await wire.ask(FrameType.GET, getBody("good", "key"), answerMs);
  expect(got.status).toBe(0);
  const { pid, phase } = await wire.call(FrameType.STATUS, StatusRequest, {}, StatusReply);
  expect({ pid, phase }).toEqual({ pid: target.pid, phase: "serving" });
  wire.close();
  expect((await good.get("key")).siblings).toEqual(["value"]);
}

function getBody(bucket: string, key: string): Uint8Array {
  return encode(GetRequest, { bucket: Buffer.from(bucket), key: Buffer.from(key) });
}

function memberNamed(name: string): Member {
  return ring.members.find((member) => member.name === name) as Member;
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

/** The hello of a member, which is believed as long as nothing is authenticated. */
function nodeHello(name: string): Fields<Hello> {
  const { number, id } = memberNamed(name);
  const clusterId = bytesOf(ring.clusterId);
  return { versionMin: 1, versionMax: 1, role: Role.node, clusterId, nodeId: bytesOf(id), number, epoch: ring.epoch };
}

const joiningHello: Fields<Hello> = {
  versionMin: 1,
  versionMax: 1,
  role: Role.joiningNode,
  nodeId: new Uint8Array(16).fill(9),
};

function codeOfAnswer(frame: Received): ErrorCode | "OK" {
  return frame.status === 0 ? "OK" : codeOf(frame.status);
}

/** Sends bytes on a connection of their own, after a hello if there is one, and waits until the connection is over. */
async function attack(bytes: Uint8Array, hello?: Fields<Hello>): Promise<readonly Received[]> {
  const wire = hello === undefined ? new WireClient(target.address) : await WireClient.open(target.address, hello);
  wire.send(bytes);
  // The node may have closed already; else it does when it has seen this end.
  wire.socket.end();
  await wire.end();
  return wire.frames;
}

async function attackAll(inputs: readonly Uint8Array[], hello?: Fields<Hello>): Promise<void> {
  const atOnce = 16;
  for (let i = 0; i < inputs.length; i += atOnce) {
    await Promise.all(inputs.slice(i, i + atOnce).map((bytes) => attack(bytes, hello)));
  }
}

describe("a hello that does not fit is answered with the reason, the connection is closed, and the node logs it", () => {
  const otherCluster = new Uint8Array(16).fill(7);
  const stranger = new Uint8Array(16).fill(8);
  const cases: readonly (readonly [string, () => Fields<Hello>, ErrorCode, RegExp])[] = [
    ["another cluster", () => ({ ...clientHello, clusterId: otherCluster }), "WRONG_CLUSTER", /not the same cluster/],
    [
      "later versions",
      () => ({ ...clientHello, versionMin: 2, versionMax: 9 }),
      "PROTOCOL_MISMATCH",
      /versions 2 to 9/,
    ],
    ["no versions", () => ({ role: Role.client }), "PROTOCOL_MISMATCH", /no protocol version in common/],
    [
      "versions the wrong way round",
      () => ({ ...clientHello, versionMin: 2 }),
      "PROTOCOL_MISMATCH",
      /no protocol version/,
    ],
    ["no role", () => ({ ...clientHello, role: 0 }), "INVALID_ARGUMENT", /unknown role 0/],
    ["an unknown role", () => ({ ...clientHello, role: 77 }), "INVALID_ARGUMENT", /unknown role 77/],
    ["a client with a number", () => ({ ...clientHello, number: 2 }), "INVALID_ARGUMENT", /a client has no node id/],
    ["a short cluster id", () => ({ ...clientHello, clusterId: stranger.subarray(1) }), "INVALID_ARGUMENT", /16 bytes/],
    [
      "a node without an id",
      () => ({ ...nodeHello("n2"), nodeId: new Uint8Array(0) }),
      "INVALID_ARGUMENT",
      /must name itself/,
    ],
    [
      "a node of another cluster",
      () => ({ ...nodeHello("n2"), clusterId: otherCluster }),
      "WRONG_CLUSTER",
      /not the same/,
    ],
    [
      "a node under a wrong number",
      () => ({ ...nodeHello("n2"), number: 3 }),
      "PERMISSION_DENIED",
      /under the number 3/,
    ],
    ["a node under an unknown number", () => ({ ...nodeHello("n2"), number: 999 }), "PERMISSION_DENIED", /no member/],
    ["a node under no number", () => ({ ...nodeHello("n2"), number: 0 }), "INVALID_ARGUMENT", /no node number: 0/],
    ["a stranger as a node", () => ({ ...nodeHello("n2"), nodeId: stranger }), "PERMISSION_DENIED", /no member/],
    ["the node itself", () => nodeHello("n1"), "INVALID_ARGUMENT", /both sides have the node id/],
  ];

  it.each(cases)("%s", async (_what, hello, code, says) => {
    const wire = new WireClient(target.address);
    const answer = await wire.ask(FrameType.HELLO, encode(Hello, hello()));
    expect(codeOfAnswer(answer)).toBe(code);
    expect(messageOf(answer)).toMatch(says);
    const from = `127.0.0.1:${wire.socket.localPort}`;
    await wire.end();
    const logged = logOf(target).find((line) => line.msg === "connection refused" && line.from === from);
    expect(logged).toMatchObject({ code, reason: messageOf(answer) });
  });

  it("whatever is said before a hello is refused, and ends the connection", async () => {
    const wire = new WireClient(target.address);
    const answer = await wire.ask(FrameType.GET, getBody("good", "key"));
    expect(codeOfAnswer(answer)).toBe("PROTOCOL_MISMATCH");
    expect(messageOf(answer)).toBe("the first frame must be a hello");
    await wire.end();
  });

  it.each([
    ["a ping before a hello", FrameType.PING, new Uint8Array(0), "PROTOCOL_MISMATCH", /first frame must be a hello/],
    ["a hello that is no message", FrameType.HELLO, Uint8Array.of(0x0a, 0x7f), "INVALID_ARGUMENT", /^Hello: /],
  ] as const)("%s ends the connection", async (_what, type, body, code, says) => {
    const wire = new WireClient(target.address);
    const answer = await wire.ask(type, body);
    expect(codeOfAnswer(answer)).toBe(code);
    expect(messageOf(answer)).toMatch(says);
    await wire.end();
  });

  it("a second hello ends the connection: nobody becomes someone else", async () => {
    const wire = await WireClient.open(target.address);
    const answer = await wire.ask(FrameType.HELLO, encode(Hello, nodeHello("n2")));
    expect([codeOfAnswer(answer), messageOf(answer)]).toEqual(["PROTOCOL_MISMATCH", "a connection has one hello"]);
    await wire.end();
  });

  it("a hello that comes byte by byte is accepted", async () => {
    const wire = new WireClient(target.address);
    for (const byte of frameOf(FrameType.HELLO, 1, encode(Hello, clientHello))) {
      wire.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const hello = await waitFor("the answer to the hello", () => wire.frames[0]);
    expect(hello.status).toBe(0);
    wire.close();
  });
});

describe("who may say what", () => {
  const nodeOnly = [FrameType.REPLICA_READ, FrameType.REPLICA_WRITE, FrameType.FORWARD_PUT, FrameType.REPAIR];
  const clientOnly = [FrameType.GET, FrameType.PUT, FrameType.DELETE, FrameType.MULTI_GET, FrameType.STATUS];
  const roles: readonly (readonly [string, () => Fields<Hello>, readonly number[]])[] = [
    ["a client", () => clientHello, [...nodeOnly, FrameType.REPORT]],
    ["a node", () => nodeHello("n2"), [...clientOnly, FrameType.REPORT]],
    ["a joining node", () => joiningHello, [...clientOnly, ...nodeOnly]],
  ];

  it.each(roles)("%s is denied the frames of others, and may go on", async (_who, hello, types) => {
    const wire = await WireClient.open(target.address, hello());
    for (const type of types) expect(codeOfAnswer(await wire.ask(type, new Uint8Array(0)))).toBe("PERMISSION_DENIED");
    for (const type of [0x00, 0x0f, 0x1f, 0x7f, 0x81, 0x90, 0xff]) {
      expect(codeOfAnswer(await wire.ask(type, new Uint8Array(0)))).toBe("INVALID_ARGUMENT");
    }
    expect(codeOfAnswer(await wire.ask(FrameType.FETCH_RING, new Uint8Array(0)))).toBe("OK");
    wire.close();
  });

  it("a client's replica write changes nothing", async () => {
    const wire = await WireClient.open(target.address);
    const forged = sealed(Buffer.alloc(0));
    const write = {
      bucket: Buffer.from("good"),
      key: Buffer.from("key"),
      record: forged,
      durability: 2,
      timeoutUs: 1e6,
    };
    const answer = await wire.ask(FrameType.REPLICA_WRITE, encode(ReplicaWriteRequest, write));
    expect(codeOfAnswer(answer)).toBe("PERMISSION_DENIED");
    wire.close();
    await expectUnharmed();
  });

  it("a stranger cannot report its way into a ring that is made", async () => {
    const wire = await WireClient.open(target.address, joiningHello);
    const answer = await wire.ask(
      FrameType.REPORT,
      encode(codecNamed("ReportRequest"), messageVectors.ReportRequest ?? {}),
    );
    expect(codeOfAnswer(answer)).toBe("OK");
    const reply = decode(ReportReply, answer.body, 0, answer.body.length);
    expect({ waiting: reply.waiting, ring: reply.ring }).toEqual({ waiting: true, ring: null });
    wire.close();
  });
});

/** A sealed record whose checksum is good, whatever its body is. */
function sealed(body: Uint8Array): Uint8Array {
  const record = new Uint8Array(8 + body.length);
  record.set(body, 8);
  writeWord(record, 0, 1);
  writeWord(record, 4, crc32c(record, 8, record.length));
  return record;
}

function randomBytes(rng: Rng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => rng.below(256));
}

describe("bytes that are no frames", () => {
  it("random bytes, before and after a hello", async () => {
    const rng = new Rng(11);
    const inputs = Array.from({ length: 150 }, () => randomBytes(rng, 1 + rng.below(3000)));
    for (const hello of [undefined, clientHello, nodeHello("n2")]) await attackAll(inputs, hello);
    await expectUnharmed();
  });

  it("other protocols", async () => {
    const tls = "16030100c8010000c40303";
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
      Buffer.from(tls, "hex"),
      Buffer.alloc(70_000),
    ]) {
      const frames = await attack(bytes);
      for (const frame of frames) expect(codeOfAnswer(frame)).toBe("PROTOCOL_MISMATCH");
    }
    await expectUnharmed();
  });

  it("lengths that cannot be: answered with the reason, and closed", async () => {
    for (const length of [0, 1, 5, 4 * 1024 * 1024 + 1, 0x7fff_ffff, 0xffff_ffff]) {
      const frame = frameOf(FrameType.GET, 1);
      frame.writeUInt32BE(length, 0);
      const wire = await WireClient.open(target.address);
      wire.send(frame);
      await wire.end();
      const refusal = wire.frames.at(-1) as Received;
      expect(codeOfAnswer(refusal)).toBe("PROTOCOL_MISMATCH");
      expect(messageOf(refusal)).toMatch(/a frame of \d+ bytes is (too short|more than the limit)/);
    }
    await expectUnharmed();
  });

  it("frames that are cut off at every byte", async () => {
    const whole = frameOf(FrameType.PUT, 1, encode(codecNamed("PutRequest"), messageVectors.PutRequest ?? {}));
    const cuts = Array.from({ length: whole.length }, (_, end) => whole.subarray(0, end));
    await attackAll(cuts, clientHello);
    await expectUnharmed();
  });
});

/** The requests of each role: the frame's type and its body's message. */
const requestsOf = {
  client: [
    [FrameType.GET, "GetRequest"],
    [FrameType.PUT, "PutRequest"],
    [FrameType.DELETE, "DeleteRequest"],
    [FrameType.MULTI_GET, "MultiGetRequest"],
    [FrameType.FETCH_RING, "FetchRingRequest"],
    [FrameType.STATUS, "StatusRequest"],
    [FrameType.HELLO, "Hello"],
  ],
  node: [
    [FrameType.REPLICA_READ, "ReplicaReadRequest"],
    [FrameType.REPLICA_WRITE, "ReplicaWriteRequest"],
    [FrameType.FORWARD_PUT, "PutRequest"],
    [FrameType.REPAIR, "ReplicaWriteRequest"],
    [FrameType.FETCH_RING, "FetchRingRequest"],
  ],
  joining: [[FrameType.REPORT, "ReportRequest"]],
} as const;

const helloOf = { client: () => clientHello, node: () => nodeHello("n2"), joining: () => joiningHello } as const;
const roleNames = ["client", "node", "joining"] as const;

/** One to four changes to bytes: flips, cuts, insertions, over-long numbers, groups, repetitions. */
function mutated(rng: Rng, bytes: Uint8Array): Uint8Array {
  let result = [...bytes];
  for (let left = 1 + rng.below(4); left > 0; left -= 1) {
    const at = rng.below(result.length + 1);
    const kind = rng.below(7);
    if (kind === 0) result[at] = (result[at] ?? 0) ^ (1 << rng.below(8));
    else if (kind === 1) result.splice(at);
    else if (kind === 2) result.splice(at, 1, rng.below(256));
    else if (kind === 3) result.splice(at, 1, 0xff, 0xff, 0xff, 0xff, 0x0f);
    else if (kind === 4) result.splice(at, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01);
    else if (kind === 5) result.splice(at, 0, 0x0b, 0x0b, 0x0b);
    else result = [...result, ...result];
  }
  return Uint8Array.from(result);
}

describe("datagrams", () => {
  it("of random bytes, of other clusters and with this cluster's header: nobody is believed, nobody is lost", async () => {
    const rng = new Rng(41);
    const socket = createSocket("udp4");
    const [host, port] = target.address.split(":") as [string, string];
    for (let i = 0; i < 3000; i += 1) {
      const bytes = randomBytes(rng, rng.below(i % 50 === 0 ? 20_000 : 1400));
      if (i % 2 === 0 && bytes.length > datagramHeaderBytes) {
        bytes.set([1, 1 + rng.below(5)]);
        bytes.set(bytesOf(ring.clusterId), 4);
      }
      await new Promise((resolve) => socket.send(bytes, Number(port), host, resolve));
    }
    socket.close();
    await expectUnharmed();
    await waitFor("all members live in the eyes of the one that was attacked", async () => {
      const { members } = jsonOf(await cluster.run(["members", "--json"])) as { members: { state: string }[] };
      return members.length === 3 && members.every(({ state }) => state === "alive");
    });
  });
});

describe("frames whose bodies are malformed", () => {
  it.each(roleNames)("as a %s: mutated bodies are each answered, on a connection that goes on", async (role) => {
    const rng = new Rng(role.length);
    const wire = await WireClient.open(target.address, helloOf[role]());
    const requests = requestsOf[role].filter(([type]) => type !== FrameType.HELLO);
    // Side by side: each that names a ring which the node has not seen is held for a second.
    const answers = Array.from({ length: 200 }, () => {
      const [type, name] = requests[rng.below(requests.length)] as (typeof requests)[number];
      return wire.ask(type, mutated(rng, encode(codecNamed(name), messageVectors[name] ?? {})));
    });
    const refused = (await Promise.all(answers)).filter(({ status }) => status !== 0);
    expect(wire.closed).toBe(false);
    expect(refused.length).toBeGreaterThan(50);
    wire.close();
    await expectUnharmed();
  });

  it.each(roleNames)("as a %s: whole frames mutated, header and all", async (role) => {
    const rng = new Rng(100 + role.length);
    const frames = Array.from({ length: 200 }, () => {
      const [type, name] = requestsOf[role][rng.below(requestsOf[role].length)] as readonly [number, string];
      return mutated(rng, frameOf(type, rng.u32(), encode(codecNamed(name), messageVectors[name] ?? {})));
    });
    await attackAll(frames, helloOf[role]());
    await expectUnharmed();
  });

  it("as a node: records with a good checksum and a body that makes no sense are refused, or read by nobody", async () => {
    const rng = new Rng(31);
    const wire = await WireClient.open(target.address, nodeHello("n2"));
    const valid = encode(codecNamed("Record"), messageVectors.Record ?? {});
    for (let i = 0; i < 200; i += 1) {
      const body = i % 4 === 0 ? randomBytes(rng, rng.below(200)) : mutated(rng, valid);
      // One key for all, so that each is merged with what the one before has left.
      const write = {
        bucket: Buffer.from("bad"),
        key: Buffer.from(i % 2 === 0 ? "one" : `k${i}`),
        record: sealed(body),
      };
      const type = i % 3 === 0 ? FrameType.REPAIR : FrameType.REPLICA_WRITE;
      await wire.ask(type, encode(ReplicaWriteRequest, { ...write, durability: 2, timeoutUs: 1_000_000 }));
    }
    const read = { bucket: Buffer.from("bad"), key: Buffer.from("one"), timeoutUs: 1_000_000 };
    await wire.call(FrameType.REPLICA_READ, ReplicaReadRequest, read, ReplicaReadReply).catch(() => {});
    wire.close();
    const bad = client.bucket("bad");
    await Promise.all(Array.from({ length: 100 }, (_, i) => bad.get(`k${2 * i + 1}`).catch(() => {})));
    await bad.get("one").catch(() => {});
    await bad.put("one", Buffer.from("x")).catch(() => {});
    await expectUnharmed();
  });

  it("as a node: a damaged record is refused by its checksum", async () => {
    const wire = await WireClient.open(target.address, nodeHello("n3"));
    const record = sealed(encode(codecNamed("Record"), messageVectors.Record ?? {}));
    record[20] = (record[20] as number) ^ 1;
    const write = { bucket: Buffer.from("bad"), key: Buffer.from("two"), record, durability: 2, timeoutUs: 1_000_000 };
    const answer = await wire.ask(FrameType.REPLICA_WRITE, encode(ReplicaWriteRequest, write));
    expect(codeOfAnswer(answer)).toBe("INVALID_ARGUMENT");
    expect(messageOf(answer)).toContain("checksum");
    wire.close();
  });

  it("1 MiB of empty sub-messages, and nesting without end, are refused at once", async () => {
    const empties = (tag: number): Uint8Array => Buffer.alloc(1024 * 1024, Uint8Array.of(tag, 0));
    const groups = new Uint8Array(1024 * 1024).fill(0x0b);
    const refused = [empties(0x0a), empties(0x12), empties(0x32), empties(0x7a), groups];
    const deep = nested(20_000);
    for (const role of roleNames) {
      const wire = await WireClient.open(target.address, helloOf[role]());
      for (const [type] of requestsOf[role]) {
        if (type === FrameType.HELLO) continue;
        for (const body of refused) {
          const answer = await wire.ask(type, body, answerMs);
          expect(answer.status, `${role}, type ${type}`).not.toBe(0);
        }
        // Where the outermost field holds no message, what is in it is bytes like any other.
        await wire.ask(type, deep, answerMs);
      }
      wire.close();
    }
    await expectUnharmed();
  });

  it("arguments that are well-formed and not allowed are refused one by one", async () => {
    const wire = await WireClient.open(target.address);
    const put = {
      bucket: Buffer.from("b"),
      key: Buffer.from("k"),
      value: Buffer.from("v"),
      requestId: new Uint8Array(16),
    };
    const refused: readonly (readonly [number, MessageCodec<never>, object, ErrorCode])[] = [
      [FrameType.GET, GetRequest as never, { bucket: new Uint8Array(0), key: put.key }, "INVALID_ARGUMENT"],
      [FrameType.GET, GetRequest as never, { bucket: put.bucket, key: new Uint8Array(0) }, "INVALID_ARGUMENT"],
      [FrameType.GET, GetRequest as never, { bucket: Uint8Array.of(0x61, 0xff), key: put.key }, "INVALID_ARGUMENT"],
      [FrameType.GET, GetRequest as never, { bucket: put.bucket, key: new Uint8Array(1025) }, "KEY_TOO_LARGE"],
      [FrameType.GET, GetRequest as never, { ...put, r: 4 }, "INVALID_ARGUMENT"],
      [FrameType.GET, GetRequest as never, { ...put, n: 0xffff_ffff }, "INVALID_ARGUMENT"],
      [FrameType.PUT, PutRequest as never, { ...put, value: new Uint8Array(1024 * 1024 + 1) }, "VALUE_TOO_LARGE"],
      [FrameType.PUT, PutRequest as never, { ...put, requestId: new Uint8Array(15) }, "INVALID_ARGUMENT"],
      [FrameType.PUT, PutRequest as never, { ...put, durability: 9 }, "INVALID_ARGUMENT"],
      [FrameType.PUT, PutRequest as never, { ...put, w: 0xffff_ffff }, "INVALID_ARGUMENT"],
      [FrameType.PUT, PutRequest as never, { ...put, context: new Uint8Array(40).fill(1) }, "INVALID_ARGUMENT"],
      [FrameType.PUT, PutRequest as never, { ...put, context: new Uint8Array(100_000).fill(1) }, "INVALID_ARGUMENT"],
      [
        FrameType.MULTI_GET,
        codecNamed("MultiGetRequest") as never,
        { bucket: put.bucket, keys: [] },
        "INVALID_ARGUMENT",
      ],
    ];
    for (const [type, codec, message, code] of refused) {
      const answer = await wire.ask(type, encode(codec, message as never));
      expect(codeOfAnswer(answer), JSON.stringify(Object.keys(message))).toBe(code);
      expect(messageOf(answer)).toMatch(/\S/);
    }
    wire.close();
    await expectUnharmed();
  });
});

/** So many messages in each other, the innermost one empty. */
function nested(depth: number): Uint8Array {
  let length = 0;
  const heads: Uint8Array[] = [];
  for (let i = 0; i < depth; i += 1) {
    const head = Uint8Array.of(0x0a, ...varint(length));
    heads.push(head);
    length += head.length;
  }
  return Buffer.concat(heads.reverse());
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

describe("clients that do not play along", () => {
  it("one that never reads its answers is disconnected, and the others do not notice", async () => {
    const large = client.bucket("large");
    await large.put("key", Buffer.alloc(1024 * 1024, 1));
    const wire = await WireClient.open(target.address);
    const from = `127.0.0.1:${wire.socket.localPort}`;
    wire.socket.pause();
    const body = encode(GetRequest, { bucket: Buffer.from("large"), key: Buffer.from("key"), timeoutUs: 10_000_000 });
    // More than fits into the node's queue and the system's; where a large answer fits no more, small ones fill the rest.
    for (let i = 0; i < 64; i += 1) wire.send(frameOf(FrameType.GET, 1000 + i, body));
    const small = Buffer.concat(Array.from({ length: 200 }, (_, i) => frameOf(FrameType.FETCH_RING, 2000 + i)));
    await waitFor("the node drops it", () => {
      wire.send(small);
      return logOf(target).some((line) => line.msg === "connection dropped" && line.from === from);
    });
    wire.close();
    await expectUnharmed();
  });

  it("one that floods and disconnects at once, again and again", async () => {
    const burst = Buffer.concat(
      Array.from({ length: 500 }, (_, i) => frameOf(FrameType.GET, i, getBody("good", "key"))),
    );
    for (let round = 0; round < 20; round += 1) {
      const wire = await WireClient.open(target.address);
      wire.send(burst);
      await waitFor("the first answer", () => wire.frames.length > 1);
      wire.socket.resetAndDestroy();
    }
    await waitFor("what was asked is over", async () => {
      const wire = await WireClient.open(target.address);
      const { counters } = await wire.call(FrameType.STATUS, StatusRequest, {}, StatusReply);
      wire.close();
      return counters.find(({ name }) => name === "requests_in_flight")?.value === 0;
    });
    await expectUnharmed();
  });

  it("those that connect and never say hello, or never finish a frame, are disconnected", async () => {
    await waitFor("silent connections are closed", () => silent.every((one) => one.closed), patienceMs);
    await waitFor("unfinished frames are given up", () => unfinished.every((one) => one.closed), 2 * patienceMs);
    await expectUnharmed();
  });
});

it("after all this the node's memory has not grown beyond bounds, and it has logged no error of its own", async () => {
  await expectUnharmed();
  const grown = residentMiB(target.pid) - memoryBefore;
  console.info(`resident memory before the attacks ${memoryBefore.toFixed(0)} MiB, grown by ${grown.toFixed(0)} MiB`);
  expect(grown).toBeLessThan(memoryGrowthMaxMiB);
  expect(logOf(target).filter((line) => Number(line.level) >= 60)).toEqual([]);
  for (const node of cluster.nodes)
    expect(cluster.process.stdout).not.toMatch(new RegExp(`^${node.name} (was killed|ended)`, "m"));
});
