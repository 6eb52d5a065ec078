/** Identities: checked on the way in, the same on the way out. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RingtailError } from "../../../src/base/errors.ts";
import {
  clusterId,
  clusterIdOf,
  idBytes,
  nodeId,
  nodeIdOf,
  nodeNumber,
  noNode,
  requestId,
} from "../../../src/base/ids.ts";

function codeThrown(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as RingtailError).code;
  }
  return "nothing";
}

describe("node and cluster ids", () => {
  it("are 16 bytes or 32 hexadecimal digits, and go both ways", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        expect(idBytes(nodeIdOf(bytes))).toEqual(bytes);
        expect(idBytes(clusterIdOf(bytes))).toEqual(bytes);
        expect(nodeId(nodeIdOf(bytes))).toBe(nodeIdOf(bytes));
        expect(clusterId(clusterIdOf(bytes))).toBe(clusterIdOf(bytes));
      }),
    );
    expect(nodeIdOf(Uint8Array.from({ length: 16 }, (_, i) => i))).toBe("000102030405060708090a0b0c0d0e0f");
  });

  it("refuse anything else", () => {
    for (const bad of ["", "00", "g".repeat(32), "A".repeat(32), "0".repeat(33), `${"0".repeat(32)}\n`]) {
      expect(codeThrown(() => nodeId(bad))).toBe("INVALID_ARGUMENT");
      expect(codeThrown(() => clusterId(bad))).toBe("INVALID_ARGUMENT");
    }
    for (const length of [0, 15, 17]) {
      expect(codeThrown(() => nodeIdOf(new Uint8Array(length)))).toBe("INVALID_ARGUMENT");
      expect(codeThrown(() => clusterIdOf(new Uint8Array(length)))).toBe("INVALID_ARGUMENT");
      expect(codeThrown(() => requestId(new Uint8Array(length)))).toBe("INVALID_ARGUMENT");
    }
  });
});

describe("node numbers", () => {
  it("are integers in 1..65535; 0 is no node", () => {
    expect([nodeNumber(1), nodeNumber(65_535), noNode]).toEqual([1, 65_535, 0]);
    for (const bad of [0, -1, 65_536, 1.5, Number.NaN]) {
      expect(codeThrown(() => nodeNumber(bad))).toBe("INVALID_ARGUMENT");
    }
  });
});

describe("request ids", () => {
  it("are the caller's own 16 bytes", () => {
    const bytes = new Uint8Array(16);
    expect(requestId(bytes)).toBe(bytes);
  });
});
