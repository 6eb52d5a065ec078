/**
 * Context: what a get returns and a put takes, opaque to the application (Dynamo 4.4). The SDK holds no key and checks
 * no tag: a node does.
 * The node that should coordinate the put can be read from it without a key: `fastestOf` in version/context.ts.
 */
import { noBytes } from "../base/bytes.ts";
import { RingtailError } from "../base/errors.ts";
import { contextBytesMax } from "../version/context.ts";

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const rest = bytes.length - at;
    const group = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += (digits[group >>> 18] as string) + (digits[(group >>> 12) & 63] as string);
    if (rest > 1) text += digits[(group >>> 6) & 63] as string;
    if (rest > 2) text += digits[group & 63] as string;
  }
  return text;
}

function fromBase64Url(text: string): Uint8Array | null {
  if (typeof text !== "string" || text.length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of text) {
    const digit = digits.indexOf(character);
    if (digit < 0) return null;
    held = ((held << 6) | digit) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at] = held >>> bits;
    at += 1;
  }
  return bytes;
}

/** An immutable token. Keep it as it is, or as text: `String(context)` and `Context.parse`. */
export class Context {
  /** Has read nothing: a put with it replaces nothing. */
  static readonly empty: Context = new Context(noBytes);
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A context of these bytes, which are copied. */
  static of(bytes: Uint8Array): Context {
    if (bytes.length === 0) return Context.empty;
    if (bytes.length > contextBytesMax) {
      throw new RingtailError(
        "INVALID_ARGUMENT",
        `the context has ${bytes.length} bytes; allowed: at most ${contextBytesMax}`,
      );
    }
    return new Context(Uint8Array.prototype.slice.call(bytes));
  }

  /** The context in a text made by `toString`; throws `INVALID_ARGUMENT` if it is none. */
  static parse(text: string): Context {
    const bytes = fromBase64Url(text);
    if (bytes === null) {
      throw new RingtailError("INVALID_ARGUMENT", "not a context: it must be the text that a get or put returned");
    }
    return Context.of(bytes);
  }

  /** The bytes: not to be changed. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** URL-safe base64 without padding. */
  toString(): string {
    return toBase64Url(this.#bytes);
  }

  toJSON(): string {
    return this.toString();
  }
}
