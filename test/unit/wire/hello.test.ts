/** Who may talk to whom: versions, clusters, roles. */
import { describe, expect, it } from "vitest";
import { noBytes } from "../../../src/base/bytes.ts";
import { codeOf } from "../../../src/base/errors.ts";
import { decode, encode } from "../../../src/wire/codec.ts";
import { Hello } from "../../../src/wire/gen/codecs.ts";
import { checkHello, type HelloIdentity, negotiate, protocolVersions, Role } from "../../../src/wire/hello.ts";

const cluster = new Uint8Array(16).fill(1);
const otherCluster = new Uint8Array(16).fill(2);
const mine: HelloIdentity = { clusterId: cluster, nodeId: new Uint8Array(16).fill(3) };
const node = {
  versionMin: 1,
  versionMax: 1,
  clusterId: cluster,
  nodeId: new Uint8Array(16).fill(4),
  role: Role.node,
  number: 2,
};

function hello(fields: Partial<Hello>): Hello {
  const bytes = encode(Hello, fields);
  return decode(Hello, bytes, 0, bytes.length);
}

function verdict(fields: Partial<Hello>, of: HelloIdentity = mine): string {
  const { status, version, message } = checkHello(of, hello(fields));
  return status === 0 ? `version ${version}` : `${codeOf(status)} ${message}`;
}

describe("negotiate", () => {
  it("picks the newest common version: all pairs of small ranges, against a naive search", () => {
    for (let a = 0; a <= 4; a += 1) {
      for (let b = 0; b <= 4; b += 1) {
        for (let c = 0; c <= 4; c += 1) {
          for (let d = 0; d <= 4; d += 1) {
            const common = [4, 3, 2, 1].find((v) => a <= v && v <= b && c <= v && v <= d) ?? 0;
            expect(negotiate({ min: a, max: b }, { min: c, max: d })).toBe(common);
          }
        }
      }
    }
  });

  it("speaks version 1 so far", () => {
    expect(negotiate(protocolVersions, protocolVersions)).toBe(1);
  });
});

describe("checkHello", () => {
  it("accepts who belongs here", () => {
    expect(verdict(node)).toBe("version 1");
    expect(verdict({ ...node, versionMax: 9 })).toBe("version 1");
    expect(verdict({ versionMin: 1, versionMax: 1, role: Role.client })).toBe("version 1");
    expect(verdict({ versionMin: 1, versionMax: 1, role: Role.client, clusterId: cluster })).toBe("version 1");
    expect(verdict({ ...node, role: Role.joiningNode, number: 0, clusterId: noBytes })).toBe("version 1");
    expect(verdict(node, { clusterId: noBytes, nodeId: mine.nodeId })).toBe("version 1");
    expect(verdict(node, { clusterId: cluster, nodeId: noBytes })).toBe("version 1");
  });

  it("refuses a foreign version first, saying what each side speaks", () => {
    expect(verdict({ ...node, versionMin: 2, versionMax: 3, clusterId: otherCluster })).toBe(
      "PROTOCOL_MISMATCH no protocol version in common: this side speaks version 1, the other versions 2 to 3",
    );
    expect(verdict({})).toContain("PROTOCOL_MISMATCH");
  });

  it("refuses another cluster, naming both", () => {
    expect(verdict({ ...node, clusterId: otherCluster })).toBe(
      "WRONG_CLUSTER not the same cluster: the other side belongs to 02020202020202020202020202020202, " +
        "this one to 01010101010101010101010101010101",
    );
    expect(verdict({ versionMin: 1, versionMax: 1, role: Role.client, clusterId: otherCluster })).toBe(
      "WRONG_CLUSTER not the same cluster: the client is told to use 02020202020202020202020202020202, " +
        "this node belongs to 01010101010101010101010101010101",
    );
  });

  it("refuses itself", () => {
    expect(verdict({ ...node, nodeId: mine.nodeId })).toContain("INVALID_ARGUMENT both sides have the node id 0303");
  });

  it.each([
    [{ ...node, role: 7 }, "unknown role 7"],
    [{ ...node, role: 0 }, "unknown role 0"],
    [{ ...node, clusterId: Uint8Array.of(1) }, "a cluster id has 16 bytes, not 1"],
    [{ ...node, nodeId: new Uint8Array(17) }, "a node id has 16 bytes, not 17"],
    [{ ...node, nodeId: noBytes }, "a node must name itself and its cluster"],
    [{ ...node, clusterId: noBytes }, "a node must name itself and its cluster"],
    [{ ...node, number: 0 }, "no node number: 0 (1..65535)"],
    [{ ...node, number: 65_536 }, "no node number: 65536 (1..65535)"],
    [{ ...node, role: Role.client, number: 0 }, "a client has no node id and no number"],
    [{ ...node, role: Role.joiningNode }, "a joining node has no number yet"],
    [{ ...node, role: Role.joiningNode, nodeId: noBytes, number: 0 }, "a joining node must name itself"],
  ])("refuses a hello that makes no sense: %#", (fields, message) => {
    expect(verdict(fields)).toBe(`INVALID_ARGUMENT ${message}`);
  });
});
