/** Codecs: how an application's values become bytes and back. One per bucket; bytes without one. */
import { isUnicode, utf8, utf8Text } from "../base/bytes.ts";
import { RingtailError } from "../base/errors.ts";

/** Values of type `T` as bytes. */
export interface Codec<T> {
  /** The bytes must not change until the put has ended. */
  encode(value: T): Uint8Array;
  /** `bytes` are borrowed: copy what the value keeps of them. */
  decode(bytes: Uint8Array): T;
}

/** Values are bytes: the default. A put takes them as they are; a get returns copies. */
export const bytes: Codec<Uint8Array> = {
  encode: (value) => value,
  decode: (stored) => Uint8Array.prototype.slice.call(stored),
};

/** UTF-8 of a text; half of a surrogate pair would be stored as another character, and make two keys one. */
export function textBytes(what: string, value: string): Uint8Array {
  if (isUnicode(value)) return utf8(value);
  throw new RingtailError(
    "INVALID_ARGUMENT",
    `the ${what} holds half of a surrogate pair: it is no valid Unicode text`,
  );
}

/** Values are texts, stored as UTF-8. */
export const text: Codec<string> = {
  encode(value) {
    if (typeof value !== "string") {
      throw new RingtailError("INVALID_ARGUMENT", `the value is ${typeof value}; the text codec takes strings`);
    }
    return textBytes("value", value);
  },
  decode(stored) {
    try {
      return utf8Text(stored);
    } catch {
      throw unreadable("UTF-8 text");
    }
  },
};

function jsonBytes(value: unknown): Uint8Array {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new RingtailError("INVALID_ARGUMENT", `the value cannot be written as JSON: ${(error as Error).message}`);
  }
  if (json === undefined) throw new RingtailError("INVALID_ARGUMENT", `${typeof value} cannot be written as JSON`);
  return utf8(json);
}

function jsonValue(stored: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Text(stored));
  } catch {
    throw unreadable("JSON");
  }
}

function unreadable(what: string): RingtailError {
  return new RingtailError(
    "INVALID_ARGUMENT",
    `a stored value is no ${what}: read it with the codec it was written with`,
  );
}

/** Values of type `T` as JSON. What comes back is what `JSON.parse` makes of it; `T` is not checked. */
export function json<T>(): Codec<T> {
  return { encode: jsonBytes, decode: (stored) => jsonValue(stored) as T };
}
