/** Gate: whom a node takes for a member, and that it judges nobody before it knows its peers. */
import { expect, test } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { Gate, type Services } from "../../../src/node/gate.ts";
import { type PeerEvents, Peers } from "../../../src/node/peers.ts";
import type { Session } from "../../../src/node/session.ts";
import type { NodeState } from "../../../src/node/state.ts";
import { Ring } from "../../../src/ring/ring.ts";
import type { Hello } from "../../../src/wire/gen/codecs.ts";
import { protocolVersions, Role } from "../../../src/wire/hello.ts";
import { fieldsOf, memberOf } from "../ring/support.ts";

const now = instant(0);
const members = [1, 2, 3].map((number) => memberOf(number));
const ring = new Ring({ ...fieldsOf(members, [1, 2, 3, 1, 2, 3, 1, 2]), epoch: 4 });

function helloOf(number: number, epoch: number): Hello {
  const nodeId = Uint8Array.from(Buffer.from(number.toString(16).padStart(32, "0"), "hex"));
  const { min: versionMin, max: versionMax } = protocolVersions;
  const ids = { nodeId, clusterId: nodeId, clientId: new Uint8Array(0) };
  return { versionMin, versionMax, role: Role.node, number, epoch, ...ids } as Hello;
}

test("a node that starts refuses members until it knows its peers; then it takes them for what they are", () => {
  const connect = (): object => ({});
  const shared = { number: 1, epoch: 4, ringOrNone: ring, env: { transport: { connect } } } as unknown as NodeState;
  const peers = new Peers(shared, { onPeerKnown() {} } as unknown as PeerEvents);
  const mine = { ...helloOf(1, 4), clusterId: new Uint8Array(0) };
  const gate = new Gate(shared, peers, () => mine, {} as Services);
  const session = { role: "none", number: 0 } as unknown as Session;
  // Its ring is older, as that of somebody who has left would be: on this link it would stay a stranger.
  expect(gate.judge(now, session, helloOf(2, 3))?.code).toBe("OVERLOADED");
  expect(session.role).toBe("none");
  peers.join(now, ring);
  expect(gate.judge(now, session, helloOf(2, 3))).toBe(null);
  expect([session.role, session.number]).toEqual(["node", 2]);
  expect(gate.judge(now, session, helloOf(7, 3))).toBe(null);
  expect(session.role).toBe("joining");
  expect(gate.judge(now, session, helloOf(7, 4))?.code).toBe("PERMISSION_DENIED");
});
