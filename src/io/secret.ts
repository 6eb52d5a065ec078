/**
 * The cluster's secret: 256 bits in a file that only its owner may read, the same on every node. Keys for single purposes
 * are derived from it; it never leaves the machine, and nothing prints it.
 */
import { hkdfSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { RingtailError } from "../base/errors.ts";

/** Reads a secret file; throws `INVALID_ARGUMENT` naming what is wrong with it. Empty path: no secret. */
export function readSecret(path: string): Uint8Array | undefined {
  if (path === "") return undefined;
  if (!existsSync(path)) throw new RingtailError("INVALID_ARGUMENT", `the secret file ${path} does not exist`);
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new RingtailError("INVALID_ARGUMENT", `the secret file ${path} may be read by others; allowed: mode 0600`);
  }
  const text = readFileSync(path, "utf8").trim();
  if (!/^[0-9a-fA-F]{64}$/.test(text)) {
    throw new RingtailError("INVALID_ARGUMENT", `the secret file ${path} does not hold 64 hexadecimal digits`);
  }
  return Buffer.from(text, "hex");
}

/** Makes a secret file unless it is there. */
export function makeSecret(path: string): void {
  if (existsSync(path)) return;
  writeFileSync(path, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
}

/** 16 bytes for one purpose: HKDF-SHA-256 of the secret (without one: of the cluster id) under the cluster id. */
export function deriveKey(secret: Uint8Array | undefined, clusterId: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret ?? clusterId, clusterId, `ringtail ${purpose}`, 16));
}
