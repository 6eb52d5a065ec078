/** PutCoordinator: what it answers and when, who syncs, and that nothing leaks. */
import { describe, expect, test } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { codeOf, statusOk, wireOf } from "../../../src/base/errors.ts";
import { instant, never } from "../../../src/base/time.ts";
import { PutCoordinator } from "../../../src/coordinator/put.ts";
import { PutRecorder, PutStory, policyOf, silenceUs, slotsIn, timeoutUs } from "./stories.ts";

function effects(story: PutStory): string[] {
  return story.recorder.lines.filter((line) => !line.includes("->")).map((line) => line.trim());
}

describe("the answer", () => {
  test("comes with the W-th ack, not before, and not again", () => {
    for (let n = 1; n <= 7; n += 1) {
      for (let w = 1; w <= n; w += 1) {
        const story = new PutStory({ policy: policyOf(n, 1, w) }).begin().prepared();
        for (let slot = 0; slot < n; slot += 1) {
          expect(story.replied, `n ${n} w ${w} acks ${slot}`).toBe(slot >= w);
          story.ack(10, slot);
        }
        expect(story.replied && story.gone).toBe(true);
        expect(story.status).toBe(statusOk);
      }
    }
  });

  test("is QUORUM_NOT_MET as soon as too many have failed, with the counts", () => {
    const story = new PutStory().begin().prepared().ack(10, 0).fail(20, 1, "STORAGE_FAILED", "node 102: no space");
    expect(story.replied).toBe(false);
    story.fail(30, 2, "NOT_SYNCED", "node 103: receiving");
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
    const counts = "w is 2, but 1 of 3 replicas acknowledged; 2 failed";
    expect(story.op.message).toBe(`${counts}, last failure: NOT_SYNCED (node 103: receiving)`);
    expect(story.gone).toBe(true);
  });

  test("names the shared cause when the client can act on it", () => {
    for (const code of ["OVERLOADED", "WRONG_OWNER"] as const) {
      const story = new PutStory().begin().prepared().fail(10, 1, code).fail(20, 2, code);
      expect(codeOf(story.status)).toBe(code);
      const mixed = new PutStory().begin().prepared().fail(10, 1, code).fail(20, 2, "STORAGE_FAILED");
      expect(codeOf(mixed.status)).toBe("QUORUM_NOT_MET");
    }
  });

  test("after a refusal the stragglers are still awaited", () => {
    const story = new PutStory({ policy: policyOf(3, 1, 3) }).begin().prepared().fail(10, 1);
    expect(story.replied).toBe(true);
    expect(story.gone).toBe(false);
    story.ack(20, 0).ack(30, 2);
    expect(story.gone).toBe(true);
  });

  test("a put that its own replica refuses is answered with that reason, and nothing is sent", () => {
    for (const code of ["TOO_MANY_SIBLINGS", "INVALID_ARGUMENT", "OVERLOADED", "STORAGE_FAILED"] as const) {
      const story = new PutStory().begin().fail(10, 0, code, "the replica's own words");
      expect(codeOf(story.status)).toBe(code);
      expect(story.op.message).toBe("the replica's own words");
      expect(effects(story)).toEqual(["putLocal buffered", `reply ${code}: the replica's own words`, "forget"]);
      expect(story.core.inFlight).toBe(0);
    }
  });

  test("time that ran out in its own replica is the client's deadline", () => {
    expect(codeOf(new PutStory().begin().fail(10, 0, "EXPIRED").status)).toBe("DEADLINE_EXCEEDED");
  });

  test("a local write that fails after the preparation is one failed slot", () => {
    const story = new PutStory().begin().prepared().fail(10, 0).ack(20, 1).ack(30, 2);
    expect(story.status).toBe(statusOk);
    expect(slotsIn(story.op.acked)).toEqual([1, 2]);
  });

  test("a quorum that the targets cannot give is refused before anything is done", () => {
    const story = new PutStory({ targets: 1 }).begin();
    expect(effects(story)).toEqual(["reply QUORUM_NOT_MET: w is 2; replicas that can be asked: 1", "forget"]);
  });

  test("acks by nobody, twice, before the preparation or after the end change nothing", () => {
    const story = new PutStory().begin().ack(5, 1).ack(5, 7).fail(5, 2).prepared().ack(10, 1).ack(11, 1).fail(12, 1);
    expect(slotsIn(story.op.acked)).toEqual([1]);
    expect(story.op.failed).toBe(0);
    story.ack(20, 0).ack(30, 2);
    expect(story.gone).toBe(true);
    story.ack(40, 2).fail(40, 2).prepared(40).lost(40, 2).expire(timeoutUs);
    expect(slotsIn(story.op.acked)).toEqual([0, 1, 2]);
  });

  test("the value is not kept after begin", () => {
    const story = new PutStory();
    story.op.value = new Uint8Array([1, 2, 3]);
    story.begin();
    expect(story.op.value.length).toBe(0);
  });
});

describe("more than w", () => {
  test("pw waits for owners", () => {
    const setting = { asked: { pw: 2 }, fallbacks: 0b110 };
    const story = new PutStory(setting).begin();
    expect(story.op.message).toBe("pw is 2; owners that can be asked: 1");
    const other = new PutStory({ asked: { pw: 2 }, fallbacks: 0b100 }).begin().prepared().ack(10, 0).ack(20, 2);
    expect(other.replied).toBe(false);
    expect(other.ack(30, 1).status).toBe(statusOk);
  });

  test("strict counts owners only", () => {
    const story = new PutStory({ asked: { strict: true }, fallbacks: 0b010 }).begin().prepared().ack(10, 0).ack(20, 1);
    expect(story.replied).toBe(false);
    story.fail(30, 2, "STORAGE_FAILED");
    expect(story.op.message).toBe("w is 2, but 1 of 2 owners acknowledged; 1 failed, last failure: STORAGE_FAILED");
  });

  test("hostConfirms waits for distinct hosts", () => {
    const story = new PutStory({ asked: { w: 1, hostConfirms: 2 }, hostOf: 0o100 }).begin().prepared();
    expect(story.ack(10, 0).ack(20, 1).replied).toBe(false);
    expect(story.ack(30, 2).status).toBe(statusOk);
    const refused = new PutStory({ asked: { w: 1, hostConfirms: 3 }, hostOf: 0o100 }).begin();
    expect(refused.op.message).toBe("hostConfirms is 3; hosts that can be asked: 2");
  });

  test("dw waits for synced acks, and designates as many slots", () => {
    const story = new PutStory({ asked: { w: 1, dw: 2 } }).begin().prepared();
    expect(effects(story)).toEqual(["putLocal buffered", "writeReplica 1 one-durable", "writeReplica 2 one-durable"]);
    expect(story.ack(10, 0).ack(20, 1, true).replied).toBe(false);
    expect(story.ack(30, 2, true).status).toBe(statusOk);
  });

  test("dw of all designates the coordinator too", () => {
    const story = new PutStory({ asked: { dw: 3 } }).begin();
    expect(effects(story)).toEqual(["putLocal one-durable"]);
    story.prepared().ack(10, 0, true).ack(20, 1, true).fail(30, 2);
    const counts = "dw is 3, but 2 of 3 replicas acknowledged after a sync; 1 failed";
    expect(story.op.message).toBe(`${counts}, last failure: STORAGE_FAILED`);
  });

  test("dw falls back on the coordinator when a designated slot fails, and is refused when nobody is left", () => {
    const story = new PutStory({ asked: { w: 1, dw: 2 } }).begin().prepared().ack(10, 0).ack(15, 1, true).fail(20, 2);
    expect(effects(story).at(-1)).toBe("writeReplica 0 one-durable");
    expect(story.replied).toBe(false);
    story.fail(30, 0);
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
    expect(slotsIn(story.op.acked)).toEqual([0, 1]);
    expect(story.gone).toBe(true);
  });
});

describe("who syncs", () => {
  const modes = [
    [Durability.memory, "memory"],
    [Durability.buffered, "buffered"],
    [Durability.durable, "durable"],
  ] as const;

  test("memory, buffered and durable: every slot the same", () => {
    for (const [durability, name] of modes) {
      const story = new PutStory({ durability }).begin().prepared();
      expect(effects(story)).toEqual([`putLocal ${name}`, `writeReplica 1 ${name}`, `writeReplica 2 ${name}`]);
    }
  });

  test("one-durable: one slot, never the coordinator's, evenly over the partitions", () => {
    for (let n = 2; n <= 7; n += 1) {
      for (let localSlot = 0; localSlot < n; localSlot += 1) {
        const designated = new Map<number, number>();
        for (let partition = 0; partition < 12 * (n - 1); partition += 1) {
          const setting = { policy: policyOf(n, 1, 1), durability: Durability.oneDurable, localSlot, partition };
          const story = new PutStory(setting).begin().prepared();
          const synced = effects(story).filter((line) => line.includes("one-durable"));
          expect(synced).toHaveLength(1);
          const slot = Number(/writeReplica (\d)/.exec(synced[0] as string)?.[1]);
          expect(slot).not.toBe(localSlot);
          designated.set(slot, (designated.get(slot) ?? 0) + 1);
        }
        expect([...designated.values()]).toEqual(new Array(n - 1).fill(12));
      }
    }
  });

  test("one-durable with one replica: the coordinator", () => {
    const story = new PutStory({ policy: policyOf(1, 1, 1), durability: Durability.oneDurable }).begin();
    expect(effects(story)).toEqual(["putLocal one-durable"]);
    expect(story.prepared().ack(10, 0, true).gone).toBe(true);
  });

  test("one-durable: the sync holds up the answer only when W = N", () => {
    const oneDurable = Durability.oneDurable;
    const two = new PutStory({ durability: oneDurable }).begin().prepared().ack(10, 0).ack(20, 2);
    expect(two.replied).toBe(true);
    const all = new PutStory({ policy: policyOf(3, 1, 3, oneDurable) }).begin().prepared().ack(10, 0).ack(20, 2);
    expect(all.replied).toBe(false);
    expect(all.ack(5_000, 1, true).status).toBe(statusOk);
  });

  test("one-durable: a designated slot that fails is replaced by one that has acked already, else by a pending one", () => {
    const acked = new PutStory({ durability: Durability.oneDurable, policy: policyOf(5, 1, 3) }).begin().prepared();
    acked.ack(10, 0).ack(20, 4).fail(30, 1);
    expect(effects(acked).at(-1)).toBe("writeReplica 4 one-durable");
    const pending = new PutStory({ durability: Durability.oneDurable, policy: policyOf(5, 1, 3) }).begin().prepared();
    pending.ack(10, 0).fail(30, 1);
    expect(effects(pending).at(-1)).toBe("writeReplica 2 one-durable");
  });

  test("one-durable: an ack of the designated slot without its sync fails over too", () => {
    const story = new PutStory({ durability: Durability.oneDurable }).begin().prepared().ack(10, 0).ack(20, 1);
    expect(story.replied).toBe(true);
    expect(effects(story).at(-1)).toBe("writeReplica 2 one-durable");
    story.ack(30, 2).ack(5_000, 2, true);
    expect(story.gone).toBe(true);
    expect(slotsIn(story.op.durable)).toEqual([2]);
  });

  test("one-durable: the failure of one of two writes to a slot is no failure of the slot", () => {
    const story = new PutStory({ durability: Durability.oneDurable }).begin().prepared().fail(10, 1).fail(20, 2);
    expect(story.op.failed).toBe(0b010);
    story.ack(30, 2, true).ack(40, 0);
    expect(story.status).toBe(statusOk);
    expect(story.gone).toBe(true);
  });

  test("one-durable: a slot that acked and then fails to sync stays acked", () => {
    const story = new PutStory({ durability: Durability.oneDurable }).begin().prepared();
    story.ack(10, 0).ack(20, 2).fail(30, 1).fail(40, 2);
    expect(slotsIn(story.op.acked)).toEqual([0, 2]);
    expect(story.op.failed).toBe(0b010);
    expect(effects(story).at(-1), "the only copy that can still be synced").toBe("writeReplica 0 one-durable");
    story.fail(50, 0);
    expect(story.gone).toBe(true);
  });

  test("one-durable: a refused put is not synced by anybody else", () => {
    const story = new PutStory({ durability: Durability.oneDurable, policy: policyOf(3, 1, 3) }).begin().prepared();
    story.fail(10, 2).fail(20, 1);
    expect(effects(story).filter((line) => line.includes("one-durable"))).toHaveLength(1);
    expect(story.ack(30, 0).gone).toBe(true);
  });

  test("durable: an ack that was not synced does not count", () => {
    const story = new PutStory({ durability: Durability.durable }).begin().prepared().ack(10, 0, true).ack(20, 1);
    expect(story.replied).toBe(false);
    expect(slotsIn(story.op.acked)).toEqual([0]);
    expect(story.ack(30, 2, true).status).toBe(statusOk);
  });
});

describe("time and room", () => {
  test("the deadline answers and forgets; nothing happens before", () => {
    const story = new PutStory().begin(0).prepared(10).ack(20, 0);
    expect(story.core.nextDeadline()).toBe(silenceUs);
    expect(story.expire(timeoutUs - 1).replied).toBe(false);
    story.expire(timeoutUs);
    expect(codeOf(story.status)).toBe("DEADLINE_EXCEEDED");
    const counts = "w is 2, but 1 of 3 replicas acknowledged within 100 ms; 2 did not answer";
    expect(story.op.message).toBe(counts);
    expect(story.gone && story.core.inFlight === 0).toBe(true);
    expect(story.core.nextDeadline()).toBe(never);
  });

  test("a put whose replica never prepared it says that the others were not asked", () => {
    const story = new PutStory().begin(0).expire(timeoutUs);
    const counts = "w is 2, but 0 of 3 replicas acknowledged within 100 ms; 1 did not answer, 2 not asked yet";
    expect(story.op.message).toBe(counts);
    story.prepared(timeoutUs + 1);
    expect(effects(story).filter((line) => line.startsWith("writeReplica"))).toEqual([]);
  });

  test("an answered put is forgotten at the deadline without a second answer", () => {
    const story = new PutStory().begin(0).prepared(10).ack(20, 0).ack(30, 1);
    expect(story.replied && !story.gone).toBe(true);
    expect(story.expire(timeoutUs).gone).toBe(true);
    expect(story.status).toBe(statusOk);
  });

  test("a replica's deadline ends before the client's, but leaves it half of the time", () => {
    const story = new PutStory();
    story.begin(1_000);
    expect(story.op.started).toBe(1_000);
    expect(story.op.deadline).toBe(1_000 + timeoutUs);
    expect(story.op.replicaDeadline).toBe(1_000 + timeoutUs - 5_000);
    const short = new PutStory();
    short.op.timeoutUs = 4_000;
    short.begin(1_000);
    expect(short.op.replicaDeadline).toBe(3_000);
  });

  test("a full coordinator answers OVERLOADED and stays as it is", () => {
    const recorder = new PutRecorder();
    const core = new PutCoordinator<string>(recorder, { opsMax: 2, replicaMarginUs: 0, silenceUs: 200_000 });
    const ops = [0, 1, 2].map(() => new PutStory().op);
    for (const op of ops) core.begin(instant(0), op);
    expect(core.full && core.inFlight === 2).toBe(true);
    expect(ops.map((op) => op.status)).toEqual([statusOk, statusOk, wireOf("OVERLOADED")]);
    expect(ops.map((op) => recorder.forgotten.has(op))).toEqual([false, false, true]);
    core.expire(instant(timeoutUs));
    expect(core.inFlight).toBe(0);
    expect(recorder.replied.size).toBe(3);
  });

  test("a deadline of an op that left does not end the later op that has its id", () => {
    const recorder = new PutRecorder();
    const core = new PutCoordinator<string>(recorder, { opsMax: 1, replicaMarginUs: 0, silenceUs: 200_000 });
    const first = new PutStory().op;
    core.begin(instant(0), first);
    core.onFailure(instant(0), first.id, 0, wireOf("OVERLOADED"), "");
    let last = first;
    do {
      last = new PutStory().op;
      core.begin(instant(timeoutUs - 1), last);
      if (last.id !== first.id) core.onFailure(instant(timeoutUs - 1), last.id, 0, wireOf("OVERLOADED"), "");
    } while (last.id !== first.id);
    core.expire(instant(timeoutUs));
    expect(recorder.replied.has(last)).toBe(false);
    core.expire(instant(2 * timeoutUs - 1));
    expect(recorder.forgotten.has(last)).toBe(true);
  });

  test("a lost peer fails what it was asked, in every op, and nothing else", () => {
    const recorder = new PutRecorder();
    const core = new PutCoordinator<string>(recorder, { opsMax: 8, replicaMarginUs: 0, silenceUs: 200_000 });
    const ops = [0, 1, 2].map(() => new PutStory({ policy: policyOf(3, 1, 3) }).op);
    for (const op of ops) {
      core.begin(instant(0), op);
      core.onPrepared(instant(0), op.id, op.sealed, op.version);
    }
    core.onAck(instant(10), ops[1]?.id as number, 1, false);
    core.onTargetLost(instant(20), 102, wireOf("CONNECTION_LOST"), "reset");
    expect(ops.map((op) => op.failed)).toEqual([0b010, 0, 0b010]);
    expect(ops.map((op) => recorder.replied.has(op))).toEqual([true, false, true]);
    core.onTargetLost(instant(30), 109, wireOf("CONNECTION_LOST"), "reset");
    expect(core.inFlight).toBe(3);
  });
});

test("a lost peer fails both writes of a slot that was sent the record twice", () => {
  const story = new PutStory({ durability: Durability.oneDurable }).begin().prepared().ack(10, 0).fail(20, 1);
  expect(effects(story).at(-1)).toBe("writeReplica 2 one-durable");
  story.lost(30, 2);
  expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
  expect(story.gone).toBe(true);
});

describe("an effect that calls its core back", () => {
  const calls = ["putLocal", "writeReplica", "reply", "forget"] as const;

  test.each(calls)("is caught: %s", (name) => {
    const recorder = new PutRecorder();
    const core = new PutCoordinator<string>(recorder, { opsMax: 8, replicaMarginUs: 0, silenceUs: 200_000 });
    recorder[name] = () => core.expire(instant(1));
    const { op, sealed } = new PutStory();
    const run = () => {
      core.begin(instant(0), op);
      core.onPrepared(instant(0), op.id, sealed, op.version);
      for (const slot of [0, 1, 2]) core.onAck(instant(0), op.id, slot, false);
    };
    expect(run).toThrow("an effect called its core back");
  });
});
