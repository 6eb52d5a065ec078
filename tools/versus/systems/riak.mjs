/**
 * Riak KV over its protocol-buffers port, for those who have one (`--riak HOST:PORT`): gets and puts as the bucket's
 * properties say, with the causal context of the last answer in each put. A frame is a u32 length (big-endian), a u8
 * message code, and a protobuf message; a connection answers in order, so each carries one request at a time.
 */
import { connect as connectTcp } from "node:net";
import protobuf from "protobufjs/minimal.js";
import { RingtailError } from "../../../dist/base/errors.js";
import { noBytes, Pool } from "../pool.mjs";

const { Reader, Writer } = protobuf;

export const durability = "as the bucket's properties say";

/** Message codes of Riak's protocol. */
const codes = { error: 0, get: 9, got: 10, put: 11, written: 12 };
const connections = 64;
const headBytes = 4;
const frameBytesMax = 16 * 2 ** 20;
const bucket = new TextEncoder().encode("bench");

/** The fields of a message by number; of a repeated one all, in order. Bytes are views. */
function fieldsOf(bytes) {
  const reader = Reader.create(bytes);
  const fields = new Map();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const value = (tag & 7) === 2 ? reader.bytes() : (tag & 7) === 0 ? reader.uint32() : reader.skipType(tag & 7);
    fields.set(tag >>> 3, [...(fields.get(tag >>> 3) ?? []), value]);
  }
  return fields;
}

function frame(code, message) {
  const body = message.finish();
  const out = Buffer.alloc(headBytes + 1 + body.length);
  out.writeUInt32BE(1 + body.length);
  out[headBytes] = code;
  out.set(body, headBytes + 1);
  return out;
}

function keyed(key) {
  return Writer.create().uint32(10).bytes(bucket).uint32(18).bytes(key);
}

/** RpbGetReq: bucket 1, key 2. */
export function getFrame(key) {
  return frame(codes.get, keyed(key));
}

/** RpbPutReq: bucket 1, key 2, context 3, content 4 (value 1), and return_head 11, which brings the next context. */
export function putFrame(key, value, context) {
  const message = keyed(key);
  if (context.length > 0) message.uint32(26).bytes(context);
  message.uint32(34).fork().uint32(10).bytes(value).ldelim();
  return frame(codes.put, message.uint32(88).bool(true));
}

/** RpbGetResp: contents 1 (value 1, deleted 11), context 2; a key that is not there has neither. */
export function answerOf(body) {
  const fields = fieldsOf(body);
  const contents = (fields.get(1) ?? []).map(fieldsOf);
  const live = contents.find((content) => content.get(11)?.[0] !== 1);
  return {
    context: fields.get(2)?.[0] ?? noBytes,
    siblings: contents.length,
    valueBytes: live === undefined ? undefined : (live.get(1)?.[0] ?? noBytes).length,
  };
}

/** RpbPutResp: context 2. */
export function contextOf(body) {
  return fieldsOf(body).get(2)?.[0] ?? noBytes;
}

/** RpbErrorResp: message 1. */
function errorOf(body) {
  const text = fieldsOf(body).get(1)?.[0] ?? noBytes;
  return new RingtailError("QUORUM_NOT_MET", `Riak: ${Buffer.from(text).toString("utf8")}`);
}

/** One connection; one request at a time. */
class Connection {
  #socket;
  #held = Buffer.alloc(0);
  #settle;
  #closed;

  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("error", (error) => this.#onEnd(error));
    socket.on("close", () => this.#onEnd(new Error("Riak closed the connection")));
  }

  #onEnd(error) {
    this.#closed ??= error;
    this.#settle?.reject(this.#closed);
  }

  #onData(chunk) {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    if (this.#held.length < headBytes) return;
    const length = this.#held.readUInt32BE(0);
    if (length < 1 || length > frameBytesMax) {
      this.#socket.destroy(new Error(`a frame of ${length} bytes`));
      return;
    }
    if (this.#held.length < headBytes + length) return;
    const body = this.#held.subarray(headBytes + 1, headBytes + length);
    const code = this.#held[headBytes];
    this.#held = this.#held.subarray(headBytes + length);
    if (code === codes.error) this.#settle?.reject(errorOf(body));
    else this.#settle?.resolve({ code, body });
  }

  /** The body of the answer, which must have that code. */
  async ask(bytes, code) {
    if (this.#closed !== undefined) throw this.#closed;
    const answer = await new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(bytes);
    });
    if (answer.code !== code) throw new Error(`Riak answered with message ${answer.code}, not ${code}`);
    return answer.body;
  }

  close() {
    this.#socket.destroy();
  }
}

class RiakDriver {
  facts = { nodes: 0, epoch: 0, partitions: 0, n: 0, r: 0, w: 0, durability };
  #pool;

  constructor(pool) {
    this.#pool = pool;
  }

  async get(key) {
    return answerOf(await this.#pool.use((connection) => connection.ask(getFrame(key), codes.got)));
  }

  async put(key, value, context) {
    const bytes = putFrame(key, value, context);
    return contextOf(await this.#pool.use((connection) => connection.ask(bytes, codes.written)));
  }

  async close() {
    for (const connection of this.#pool.all) connection.close();
  }
}

function open(address) {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port: Number(port) });
    socket.once("error", reject);
    socket.once("connect", () => resolve(new Connection(socket)));
  });
}

/** Connects to "host:port"; rejects where nobody listens. */
export async function connect(address) {
  return new RiakDriver(new Pool(await Promise.all(Array.from({ length: connections }, () => open(address)))));
}
