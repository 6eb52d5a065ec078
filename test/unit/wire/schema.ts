/**
 * The schema as the tests see it: schema/*.proto, parsed at test time by a parser that is not protobufjs's, the second
 * protobuf implementation (pbf) made of it, and arbitraries for every message.
 */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { PbfReader, PbfWriter } from "pbf";
import { compile } from "pbf/compile";
import parser from "protocol-buffers-schema";
import { noBytes } from "../../../src/base/bytes.ts";
import type { MessageCodec } from "../../../src/wire/codec.ts";
import * as codecs from "../../../src/wire/gen/codecs.ts";

/** A message as plain data, by the names of its fields in camelCase. */
export type Plain = { [field: string]: unknown };

const schemaDir = new URL("../../../schema/", import.meta.url);

/** One text of all files: the parsers want a file that stands alone. */
function schemaText(): string {
  const names = readdirSync(schemaDir).filter((name) => name.endsWith(".proto"));
  const bodies = names.sort().map((name) => readFileSync(new URL(name, schemaDir), "utf8"));
  return `syntax = "proto3";\n${bodies.join("\n").replace(/^(syntax|package|import) .*$/gm, "")}`;
}

const parsed = parser.parse(schemaText());
const pbfCode = compile(parser.parse(schemaText()));

/** One field of the schema. */
export interface SchemaField {
  /** As in the schema. */
  readonly snake: string;
  /** As in messages. */
  readonly name: string;
  readonly number: number;
  /** A scalar type, or the name of a message or enum. */
  readonly type: string;
  readonly kind: "scalar" | "enum" | "message";
  readonly repeated: boolean;
}

const messageNames = new Set(parsed.messages.map((message) => message.name));
const enumValues = new Map(
  parsed.enums.map((one) => [one.name, Object.values(one.values).map((entry) => entry.value)]),
);

function fieldOf(field: parser.Field): SchemaField {
  return {
    snake: field.name,
    name: field.name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    number: field.tag,
    type: field.type,
    kind: messageNames.has(field.type) ? "message" : enumValues.has(field.type) ? "enum" : "scalar",
    repeated: field.repeated,
  };
}

/** The fields of every message, by the message's name. */
export const schema: ReadonlyMap<string, readonly SchemaField[]> = new Map(
  parsed.messages.map((message) => [message.name, message.fields.map(fieldOf)]),
);

/** The values of an enum by their names in the schema. */
export function enumOf(name: string): Readonly<Record<string, number>> {
  const found = parsed.enums.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no enum ${name}`);
  return Object.fromEntries(Object.entries(found.values).map(([key, entry]) => [key, entry.value]));
}

/** The fields of a message of the schema. */
export function fieldsOf(name: string): readonly SchemaField[] {
  const fields = schema.get(name);
  if (fields === undefined) throw new Error(`no message ${name}`);
  return fields;
}

/** The codec of a message, by name. */
export function codecNamed(name: string): MessageCodec<Plain> {
  const codec = (codecs as unknown as Readonly<Record<string, MessageCodec<Plain> | undefined>>)[name];
  if (codec === undefined) throw new Error(`no codec ${name}`);
  return codec;
}

/** A copy to compare, with every field: `bytes` as hexadecimal digits, nested messages plain too. */
export function plain(name: string, message: Plain): Plain {
  const copy: Plain = {};
  for (const field of fieldsOf(name)) copy[field.name] = plainValue(field, message[field.name]);
  return copy;
}

function plainValue(field: SchemaField, value: unknown): unknown {
  if (!field.repeated) return plainElement(field, value);
  return ((value ?? []) as unknown[]).map((element) => plainElement(field, element));
}

function plainElement(field: SchemaField, value: unknown): unknown {
  if (field.kind === "message") return value === null || value === undefined ? null : plain(field.type, value as Plain);
  if (field.type === "bytes") return Buffer.from((value ?? noBytes) as Uint8Array).toString("hex");
  return value ?? (field.type === "string" ? "" : field.type === "bool" ? false : 0);
}

/** The other implementation's names are the schema's own. */
function rename(name: string, message: Plain, from: "snake" | "name", to: "snake" | "name"): Plain {
  const renamed: Plain = {};
  for (const field of fieldsOf(name)) {
    const value = message[field[from]];
    const inner = (one: unknown): unknown =>
      field.kind === "message" && one !== null && one !== undefined ? rename(field.type, one as Plain, from, to) : one;
    renamed[field[to]] = field.repeated ? ((value ?? []) as unknown[]).map(inner) : inner(value);
  }
  return renamed;
}

/** Encodes with pbf. */
export function pbfEncode(name: string, message: Plain): Uint8Array {
  const write = pbfCode[`write${name}`] as (message: Plain, pbf: PbfWriter) => void;
  const pbf = new PbfWriter();
  write(rename(name, message, "name", "snake"), pbf);
  return pbf.finish();
}

/** Decodes with pbf. */
export function pbfDecode(name: string, bytes: Uint8Array): Plain {
  const read = pbfCode[`read${name}`] as (pbf: PbfReader, end: number) => Plain;
  return plain(name, rename(name, read(new PbfReader(bytes), bytes.length), "snake", "name"));
}

/** No byte order marks, which pbf drops, and planes 0 and 1 only: pbf encodes some others wrongly. All: codec.test.ts. */
const text = fc.array(
  fc.oneof(
    fc.nat(0x7f),
    fc.nat(0xd7ff),
    fc.integer({ min: 0xe000, max: 0xfefe }),
    fc.integer({ min: 0x10000, max: 0x1ffff }),
  ),
  {
    maxLength: 40,
  },
);

function scalar(field: SchemaField): fc.Arbitrary<unknown> {
  switch (field.type) {
    case "bytes":
      return fc.uint8Array({ maxLength: 150 });
    case "string":
      return text.map((points) => String.fromCodePoint(...points));
    case "bool":
      return fc.boolean();
    case "double":
      // No negative zero, which pbf drops.
      return fc.double({ noNaN: true }).map((value) => value + 0);
    case "uint32":
    case "fixed32":
      return fc.oneof(fc.nat(200), fc.nat(0xffff_ffff), fc.constantFrom(0, 127, 128, 0x7fff_ffff, 0xffff_ffff));
    default:
      throw new Error(`no arbitrary for ${field.type}`);
  }
}

function element(field: SchemaField): fc.Arbitrary<unknown> {
  if (field.kind === "message") return messageArbitrary(field.type);
  if (field.kind === "enum") return fc.constantFrom(...(enumValues.get(field.type) ?? []));
  return scalar(field);
}

/** Any message of this name, with all its fields; singular nested messages may be null. */
export function messageArbitrary(name: string): fc.Arbitrary<Plain> {
  const fields: { [field: string]: fc.Arbitrary<unknown> } = {};
  for (const field of fieldsOf(name)) {
    const one = element(field);
    if (field.repeated) fields[field.name] = fc.array(one, { maxLength: 4 });
    else fields[field.name] = field.kind === "message" ? fc.option(one, { nil: null }) : one;
  }
  return fc.record(fields) as fc.Arbitrary<Plain>;
}
