/** A request as a frame: the message of each kind, filled in and encoded straight into the connection's send slab. */
import { noBytes } from "../base/bytes.ts";
import { statusOk } from "../base/errors.ts";
import type { FrameWriter } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { DeleteRequest, GetRequest, MultiGetRequest, PutRequest, ReplicaReadRequest } from "../wire/gen/codecs.ts";
import { type AnyReply, type Request, RequestKind, type RequestOptions } from "./request.ts";

/** The frame type of a request of this kind. */
export function frameTypeOf(kind: RequestKind): number {
  return frameTypes[kind];
}

const frameTypes = [FrameType.GET, FrameType.PUT, FrameType.DELETE, FrameType.MULTI_GET, FrameType.COPY_READ] as const;

// A message is encoded before the next one is filled in, so one object of each kind serves all.
const noKeys: readonly Uint8Array[] = [];

const readFields = { epoch: 0, timeoutUs: 0, n: 0, r: 0, pr: 0, hostConfirms: 0, strict: false };
const get = { bucket: noBytes, key: noBytes, ...readFields };
const copy = { bucket: noBytes, key: noBytes, epoch: 0, timeoutUs: 0 };
const multiGet = { bucket: noBytes, keys: noKeys, ...readFields };

const writeFields = {
  bucket: noBytes,
  key: noBytes,
  context: noBytes,
  requestId: noBytes,
  epoch: 0,
  timeoutUs: 0,
  n: 0,
  w: 0,
  pw: 0,
  dw: 0,
  hostConfirms: 0,
  strict: false,
  durability: 0,
  overwrite: false,
};
const put = { ...writeFields, value: noBytes };
const deletion = { ...writeFields };

function fillRead(message: typeof readFields, options: RequestOptions, epoch: number, timeoutUs: number): void {
  message.epoch = epoch;
  message.timeoutUs = timeoutUs;
  message.n = options.n;
  message.r = options.r;
  message.pr = options.pr;
  message.hostConfirms = options.hostConfirms;
  message.strict = options.strict;
}

function fillWrite(message: typeof writeFields, request: Request<AnyReply>, epoch: number, timeoutUs: number): void {
  const { options } = request;
  message.bucket = request.bucket;
  message.key = request.key;
  message.context = request.context;
  message.requestId = request.requestId;
  message.epoch = epoch;
  message.timeoutUs = timeoutUs;
  message.n = options.n;
  message.w = options.w;
  message.pw = options.pw;
  message.dw = options.dw;
  message.hostConfirms = options.hostConfirms;
  message.strict = options.strict;
  message.durability = options.durability;
  message.overwrite = options.overwrite;
}

/** Queues the request's frame. False, with nothing queued, when the writer takes no more for now. */
export function sendRequest(
  writer: FrameWriter,
  frameId: number,
  request: Request<AnyReply>,
  epoch: number,
  timeoutUs: number,
): boolean {
  const { kind, options } = request;
  switch (kind) {
    case RequestKind.get:
      get.bucket = request.bucket;
      get.key = request.key;
      fillRead(get, options, epoch, timeoutUs);
      return writer.send(FrameType.GET, statusOk, frameId, GetRequest, get);
    case RequestKind.put: {
      fillWrite(put, request, epoch, timeoutUs);
      put.value = request.value;
      const sent = writer.send(FrameType.PUT, statusOk, frameId, PutRequest, put);
      put.value = noBytes;
      return sent;
    }
    case RequestKind.delete:
      fillWrite(deletion, request, epoch, timeoutUs);
      return writer.send(FrameType.DELETE, statusOk, frameId, DeleteRequest, deletion);
    case RequestKind.multiGet:
      multiGet.bucket = request.bucket;
      multiGet.keys = request.keys;
      fillRead(multiGet, options, epoch, timeoutUs);
      return writer.send(FrameType.MULTI_GET, statusOk, frameId, MultiGetRequest, multiGet);
    case RequestKind.copy:
      copy.bucket = request.bucket;
      copy.key = request.key;
      copy.epoch = epoch;
      copy.timeoutUs = timeoutUs;
      return writer.send(FrameType.COPY_READ, statusOk, frameId, ReplicaReadRequest, copy);
  }
}
