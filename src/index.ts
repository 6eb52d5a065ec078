/** The public names of the package `ringtail`. Everything else is internal and may change. */
export { Durability, type DurabilityName } from "./base/durability.ts";
export { type ErrorCode, RingtailError } from "./base/errors.ts";
export type { Bucket } from "./client/bucket.ts";
export { bytes, type Codec, json, text } from "./client/codecs.ts";
export { Context } from "./client/context.ts";
export type { BucketOptions, CallOptions, ClientOptions, RequestSettings, WriteOptions } from "./client/options.ts";
export type { Ack, AckTimes, Receipt, ReceiptTimes } from "./client/receipt.ts";
export { lastWrittenBy, maxBy, mergeMaps, type Resolver, unionArrays, unionSets } from "./client/resolvers.ts";
export type { GetResult, PutResult, SiblingVersion, UpdateResult } from "./client/results.ts";
export { RingtailClient } from "./io/ringtail-client.ts";
export type { Dot } from "./version/version-vector.ts";
