/**
 * Profiles: the numbers that membership runs on. Every node of a cluster runs the same one: a node with shorter timeouts
 * would accuse what the others still wait for.
 */
import type { DurationUs } from "../base/time.ts";

/** The numbers of one profile. */
export interface Profile {
  /** T, between two probes. Shorter: failures are seen sooner, more messages (2 per member per T). */
  readonly probeUs: DurationUs;
  /** For the direct answer; at least the round trip's p99. T is at least twice this. Shorter: helpers are asked sooner, and for less. */
  readonly timeoutUs: DurationUs;
  /** k, helpers asked when the direct answer is late. More: fewer false suspicions under loss, more messages in failures. */
  readonly helpers: number;
  /** a: the shortest suspicion is a x max(1, log10 n) x T. Higher: fewer false deaths, later true ones. */
  readonly suspicionMult: number;
  /** b: a suspicion nobody confirms takes b times the shortest. Higher: more time for a slow accuser to notice that it is alone. */
  readonly suspicionMaxMult: number;
  /** Between two rounds of gossip, which are silent when there is nothing to tell. */
  readonly gossipUs: DurationUs;
  /** Members told in each round. */
  readonly fanout: number;
  /** An update is sent so many times ceil(log10(n + 1)). Higher: surer to reach all, more bytes. */
  readonly retransmitMult: number;
  /** Between two state syncs, up to 32 members; longer beyond. They repair what gossip missed. */
  readonly syncUs: DurationUs;
  /** S: the local health score is 0..S-1. 1: never slower for one's own slowness (plain SWIM). */
  readonly healthLevels: number;
  /** The dead are told what is said of them for so long. */
  readonly gossipToDeadUs: DurationUs;
  /** Between two attempts to find a dead member or an absent seed node alive again. */
  readonly reviveUs: DurationUs;
  /** Whether a ping to a suspect tells it so. Off only in measurements. */
  readonly buddy: boolean;
  /** Whether a late answer is asked for over TCP too. Off only in measurements. */
  readonly tcpPing: boolean;
  /** Whether helpers say that they had no answer. Off only in measurements. */
  readonly nacks: boolean;
  /** Whether a node whose event loop stalled hears what waited before it judges. Off only in measurements. */
  readonly stallGuard: boolean;
}

const lan: Profile = {
  probeUs: 500_000,
  timeoutUs: 200_000,
  helpers: 3,
  suspicionMult: 4,
  suspicionMaxMult: 6,
  gossipUs: 200_000,
  fanout: 3,
  retransmitMult: 4,
  syncUs: 30_000_000,
  healthLevels: 8,
  gossipToDeadUs: 30_000_000,
  reviveUs: 5_000_000,
  buddy: true,
  tcpPing: true,
  nacks: true,
  stallGuard: true,
};

/** A profile's name. */
export type ProfileName = "lan" | "loopback" | "wan" | "memberlistLan";

/** The profiles, by name. `lan` is the default; the last is what HashiCorp's memberlist ships, for comparison. */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  lan,
  loopback: {
    ...lan,
    probeUs: 100_000,
    timeoutUs: 40_000,
    suspicionMaxMult: 4,
    gossipUs: 20_000,
    syncUs: 15_000_000,
    reviveUs: 1_000_000,
  },
  wan: {
    ...lan,
    probeUs: 5_000_000,
    timeoutUs: 3_000_000,
    suspicionMult: 6,
    gossipUs: 500_000,
    fanout: 4,
    syncUs: 60_000_000,
    gossipToDeadUs: 60_000_000,
    reviveUs: 50_000_000,
  },
  memberlistLan: { ...lan, probeUs: 1_000_000, timeoutUs: 500_000 },
};
