/** ReapService: what a member has against forgetting a key, read off its own records and hints. */
import { afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { Hash64, hashKey } from "../../../src/base/hash.ts";
import { nodeNumber } from "../../../src/base/ids.ts";
import { instant } from "../../../src/base/time.ts";
import { ReadRule } from "../../../src/handoff/transfer.ts";
import { Metrics } from "../../../src/metrics/metrics.ts";
import { type ReapResources, ReapService } from "../../../src/node/reap-service.ts";
import type { ReapQuestion } from "../../../src/repair/reap-round.ts";
import { ReapVerdict } from "../../../src/repair/reap-verdict.ts";
import { ReplicaKind } from "../../../src/replica/replica.ts";
import { sealRecord } from "../../../src/version/record.ts";
import { causalHash, type SiblingSet } from "../../../src/version/sibling-set.ts";
import { movingRing } from "../../support/moving-ring.ts";
import { keyNamed, written } from "../../support/reap-world.ts";

const fullKey = keyNamed("k");
const tombstone = written([1, 2], true);
const value = written([1, 2], false);

afterEach(() => enableCanaries([]));

/** What the member answers that holds this record, and keeps this one for others. */
function verdictOf(member: number, record: SiblingSet | null, hint: SiblingSet | null): ReapVerdict | undefined {
  const ring = movingRing().staged;
  const shared = {
    ring,
    epoch: ring.epoch,
    number: nodeNumber(member),
    metrics: new Metrics(),
    readRule: () => ReadRule.serve,
  };
  const resources = {
    shared,
    run: (op: Parameters<ReapResources["run"]>[0]) => {
      const held = op.kind === ReplicaKind.readHints ? hint : record;
      op.sealed = held === null ? null : sealRecord(held);
      (op.origin as { onReplicaDone(now: number, done: typeof op): void }).onReplicaDone(0, op);
    },
    questions: () => ({
      settleLog: (now: number, asker: ReapService, id: number) => asker.onStoreSynced(instant(now), id),
    }),
    actors: () => ({ actorHigh: () => 1, actorLow: () => 2 }),
  };
  const service = new ReapService(resources as unknown as ReapResources);
  const hash = new Hash64();
  hashKey(fullKey, hash);
  const partition = ring.partitionOf(hash.high);
  causalHash(tombstone, fullKey, hash);
  const candidate = { fullKey, hashHigh: hash.high, hashLow: hash.low, entries: new Int32Array(0) };
  const question = { epoch: ring.epoch, partition, n: 3, keys: [candidate] } as unknown as ReapQuestion;
  let verdict: ReapVerdict | undefined;
  service.prepare(instant(0), question, (reply) => {
    verdict = reply?.verdicts[0] as ReapVerdict | undefined;
  });
  service.settle(instant(0));
  return verdict;
}

describe("a member", () => {
  it("has nothing against the tombstone that it holds, or, as no owner, knows nothing of", () => {
    expect(verdictOf(1, tombstone, null)).toBe(ReapVerdict.clear);
    expect(verdictOf(4, null, null)).toBe(ReapVerdict.clear);
  });

  it("objects to what it holds otherwise, lacks as an owner, or has left over as none", () => {
    expect(verdictOf(1, value, null)).toBe(ReapVerdict.differs);
    expect(verdictOf(1, null, null)).toBe(ReapVerdict.differs);
    expect(verdictOf(4, tombstone, null)).toBe(ReapVerdict.copy);
  });

  it("objects while it keeps anything of the key for somebody else", () => {
    for (const member of [1, 4]) {
      const record = member === 1 ? tombstone : null;
      expect(verdictOf(member, record, value)).toBe(ReapVerdict.hint);
      enableCanaries(["reap-ignores-hints"]);
      expect(verdictOf(member, record, value)).toBe(ReapVerdict.clear);
      enableCanaries([]);
    }
  });
});
