// The messages of a get and a put, to clients and to replicas: encoded where they are sent from, decoded in place.

import { recordBody } from "../../dist/version/record.js";
import { decode, encode } from "../../dist/wire/codec.js";
import { FrameReader, FrameWriter } from "../../dist/wire/frame.js";
import { FrameType } from "../../dist/wire/frame-types.js";
import * as codecs from "../../dist/wire/gen/codecs.js";
import { bucket, sealed, seasonedSet, sink, value } from "./shared.mjs";

const key = new Uint8Array(16).fill(0x30);
const context = new Uint8Array(52).fill(1);
const requestId = new Uint8Array(16).fill(2);
const quorum = { epoch: 1, timeoutUs: 1_000_000, n: 0, hostConfirms: 0, strict: false };
const getRequest = { bucket, key, ...quorum, r: 0, pr: 0 };
const putRequest = {
  bucket,
  key,
  value,
  context,
  requestId,
  ...quorum,
  w: 0,
  pw: 0,
  dw: 0,
  durability: 0,
  tombstone: false,
};
const record = recordBody(sealed(seasonedSet()));
const common = { epoch: 1, acks: [1, 2, 3], coordinator: 1, elapsedUs: 300, stalePossible: false };
const getReply = { record, context, ...common };
const putReply = { context, ...common, forwardedBy: 0 };
const toReplica = { bucket, key, epoch: 1, timeoutUs: 1_000_000 };
const readRequest = { ...toReplica, bodyMax: 2048 };
const writeRequest = { ...toReplica, record: sealed(seasonedSet()), durability: 2, purpose: 1 };
const ofReplica = { epoch: 1, queue: 3, busy: 50, loopUs: 40, storageUs: 20 };
const readReply = { ...ofReplica, record: writeRequest.record, unsynced: false, recordBytes: 0 };
const writeReply = { ...ofReplica, durable: false, keyUs: 0 };

const link = { write: () => true, pauseReading() {}, resumeReading() {}, close() {}, destroy() {}, label: "" };

function sending(name, type, message, of) {
  const writer = new FrameWriter(link, { queuedBytesMax: 1 << 26 }, () => {});
  const run = (times) => {
    for (let i = 0; i < times; i += 1) {
      writer.send(type, 0, i, of, message);
      if ((i & 15) === 15) writer.flush();
    }
    writer.flush();
  };
  return { name: `send ${name}`, run };
}

function decoding(name, message, of) {
  const bytes = encode(of, message);
  const run = (times) => {
    for (let i = 0; i < times; i += 1) sink.value = decode(of, bytes, 0, bytes.length);
  };
  return { name: `decode ${name}`, run };
}

function reading() {
  const frames = [];
  const keep = { ...link, write: (bytes) => frames.push(bytes.slice()) > 0 };
  const writer = new FrameWriter(keep, { queuedBytesMax: 1 << 26 }, () => {});
  for (let i = 0; i < 16; i += 1) writer.send(FrameType.PUT, 0, i, codecs.PutRequest, putRequest);
  writer.flush();
  let seen = 0;
  const reader = new FrameReader(
    {
      onFrame: () => {
        seen += 1;
      },
      onBadFrame: (_now, reason) => {
        throw new Error(reason);
      },
    },
    1 << 22,
  );
  const run = (times) => {
    for (let i = 0; i < times; i += 16) for (const bytes of frames) reader.feed(0, bytes);
    sink.value = seen;
  };
  return { name: "read a frame of PutRequest", run };
}

export function codecCases() {
  return [
    sending("GetRequest", FrameType.GET, getRequest, codecs.GetRequest),
    sending("PutRequest, 1 KiB", FrameType.PUT, putRequest, codecs.PutRequest),
    sending("GetReply, 1 KiB", FrameType.GET | 0x80, getReply, codecs.GetReply),
    sending("PutReply", FrameType.PUT | 0x80, putReply, codecs.PutReply),
    sending("ReplicaReadRequest", FrameType.REPLICA_READ, readRequest, codecs.ReplicaReadRequest),
    sending("ReplicaWriteRequest, 1 KiB", FrameType.REPLICA_WRITE, writeRequest, codecs.ReplicaWriteRequest),
    sending("ReplicaReadReply, 1 KiB", FrameType.REPLICA_READ | 0x80, readReply, codecs.ReplicaReadReply),
    sending("ReplicaWriteReply", FrameType.REPLICA_WRITE | 0x80, writeReply, codecs.ReplicaWriteReply),
    decoding("GetRequest", getRequest, codecs.GetRequest),
    decoding("PutRequest, 1 KiB", putRequest, codecs.PutRequest),
    decoding("GetReply, 1 KiB", getReply, codecs.GetReply),
    decoding("PutReply", putReply, codecs.PutReply),
    decoding("ReplicaReadRequest", readRequest, codecs.ReplicaReadRequest),
    decoding("ReplicaWriteRequest, 1 KiB", writeRequest, codecs.ReplicaWriteRequest),
    decoding("ReplicaReadReply, 1 KiB", readReply, codecs.ReplicaReadReply),
    decoding("ReplicaWriteReply", writeReply, codecs.ReplicaWriteReply),
    reading(),
  ];
}
