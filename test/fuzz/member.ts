/** A membership for the fuzzers to feed: its datagrams are kept, everything else that it wants is ignored. */
import { clusterIdOf, nodeIdOf } from "../../src/base/ids.ts";
import type { Rng } from "../../src/base/rng.ts";
import type { MembershipOptions } from "../../src/membership/effects.ts";
import { noProgress } from "../../src/membership/member.ts";
import { profiles } from "../../src/membership/profile.ts";

const nothing = (): void => {};

/** What a `Membership` is built from; `sent` collects what it says, `saves` the tokens of its file. */
export function membershipOptions(
  rng: Rng,
  stored: Uint8Array | null,
  sent: Uint8Array[] = [],
  saves: number[] = [],
): MembershipOptions {
  return {
    effects: {
      sendDatagram: (_now, _address, bytes) => {
        if (sent.length < 1000) sent.push(bytes.slice());
      },
      pingOverTcp: nothing,
      requestStateSync: nothing,
      memberChanged: nothing,
      flappingChanged: nothing,
      ringDigestSeen: nothing,
      persist: (_now, _bytes, token) => {
        saves.push(token);
      },
      alarm: nothing,
      left: nothing,
    },
    profile: profiles.lan,
    clusterId: clusterIdOf(new Uint8Array(16).fill(9)),
    id: nodeIdOf(new Uint8Array(16).fill(1)),
    meta: { number: 1, address: "127.0.0.1:7401", versionMin: 1, versionMax: 1, flags: 0 },
    seeds: ["127.0.0.2:7401"],
    stored,
    rng,
    progress: () => noProgress,
  };
}
