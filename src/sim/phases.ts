/**
 * Phases: one run from an empty world to its verdict: warm-up, chaos, heal, convergence by
 * reads, audit. It takes a plan and a schedule of faults and gives violations; drawing them and reporting is run.ts.
 */
import { equalBytes, noBytes, utf8Text } from "../base/bytes.ts";
import { errorTable } from "../base/errors.ts";
import { keyOf } from "../base/full-key.ts";
import { type DurationUs, instant } from "../base/time.ts";
import { profiles } from "../membership/profile.ts";
import type { Ring } from "../ring/ring.ts";
import type { VersionVector } from "../version/version-vector.ts";
import { Audit, type Invariant } from "./audit.ts";
import type { SimClient } from "./client.ts";
import { noContext } from "./client-call.ts";
import { Cluster } from "./cluster.ts";
import { tellFrames } from "./describe.ts";
import { drawFaults } from "./draw-faults.ts";
import type { SimDrive } from "./drive.ts";
import { type Fault, losesCopies } from "./fault.ts";
import { Faults } from "./faults.ts";
import { isLastWriteKey } from "./history.ts";
import { IdentityActs } from "./identity-acts.ts";
import { ackedWritesSurvive } from "./invariants/acked-writes-survive.ts";
import { isRepaired } from "./invariants/anti-entropy-converges.ts";
import { causality } from "./invariants/causality.ts";
import { damagedCopies, damageMended } from "./invariants/damage-mended.ts";
import { fallbacksKnow } from "./invariants/fallbacks-know.ts";
import { hintsDrain, hintsLeft } from "./invariants/hints-drain.ts";
import { agreeWithinUs, membersAgree, membersAgreed } from "./invariants/members-agree.ts";
import { merkleEqual, wrongTrees } from "./invariants/merkle-equal.ts";
import { NoFalseDead } from "./invariants/no-false-dead.ts";
import { noPhantomValues } from "./invariants/no-phantom-values.ts";
import { operationsEnd } from "./invariants/operations-end.ts";
import { checkQueues, queuesDrain } from "./invariants/queues-bounded.ts";
import { QuorumHonoured } from "./invariants/quorum-honoured.ts";
import { replicasConverge } from "./invariants/replicas-converge.ts";
import { ringAgrees } from "./invariants/ring-agrees.ts";
import { makeLastWriteBucket } from "./last-write-bucket.ts";
import { judge } from "./oracle.ts";
import { type RunPlan, reapsWithinRun } from "./plan.ts";
import { RingOperators } from "./ring-operators.ts";
import type { Report, Violation } from "./violation.ts";
import { watchRun } from "./watch-run.ts";
import { Workload } from "./workload.ts";

const endInvariants: readonly Invariant[] = [
  ackedWritesSurvive,
  noPhantomValues,
  causality,
  replicasConverge,
  damageMended,
  merkleEqual,
  hintsDrain,
  fallbacksKnow,
  queuesDrain,
  operationsEnd,
  ringAgrees,
  membersAgree,
];

const violationsMax = 40;
/** Two processes with one directory know of each other: a probe of everybody, gossip back, and three pings. */
const partWithinUs: DurationUs = 10_000_000;
const healWithinUs: DurationUs = 30_000_000;
const convergeWithinUs: DurationUs = 30_000_000;
const convergeRoundsMax = 5;
const queueCheckUs: DurationUs = 250_000;
/** The puts after the chaos submit values from here on: the workload never gets so far. */
const lastValues = 1_000_000;
const tooManySiblings = errorTable.TOO_MANY_SIBLINGS.wire;
/** Delivery that has failed again and again waits a minute for its next attempt; and that one may fail, too. */
const drainWithinUs: DurationUs = 150_000_000;
/** With a longer pass than this reads must bring about what anti-entropy would do later. */
const repairPassMsMax = 10_000;
/** Passes in which replicas must have become equal: lists of keys are compared a window after the roots. */
const repairRounds = 12;
/** Damage must be found, by a scrub, and an attempt to mend that has failed again and again waits a minute for the next. */
const mendWithinUs: DurationUs = 150_000_000;
const repairPollUs: DurationUs = 500_000;
/** Plans that were stopped, staged anew and planned again, each with its transfers. */
const ringWithinUs: DurationUs = 240_000_000;
const ringPollUs: DurationUs = 250_000;
/**
 * Within this a delete must have been forgotten: three passes, of which a node that served its last clients slowly
 * reads a partition a second, and as many ages.
 */
const reapWithinUs: DurationUs = 240_000_000;
const firewallUs: DurationUs = 8_000_000;
const settleUs: DurationUs = 300_000;
const quietUs: DurationUs = 1_500_000;

/** One run; made for one use. */
export class Run {
  readonly plan: RunPlan;
  readonly cluster: Cluster;
  readonly violations: Violation[] = [];
  /** The faults as scheduled. */
  readonly schedule: readonly Fault[];
  readonly #report: Report;
  readonly #noFalseDead: NoFalseDead;
  #faults: Faults | undefined;
  #operators: RingOperators | undefined;
  #identities: IdentityActs | undefined;

  /** Without `faults` the schedule is drawn from the plan's seed. */
  constructor(plan: RunPlan, faults: readonly Fault[] | undefined, recording: boolean) {
    this.plan = plan;
    this.cluster = new Cluster(plan, recording);
    this.#report = (violation) => {
      if (this.violations.length < violationsMax) this.violations.push(violation);
    };
    this.#noFalseDead = new NoFalseDead(profiles.lan, plan.nodes, this.#report);
    this.schedule = faults ?? drawFaults(plan, this.cluster.world.rng.fork("faults"));
    if (recording) tellFrames(this.cluster.world.network);
  }

  /** All phases. An exception out of them is a client's: nodes are caught where they are entered. */
  go(): void {
    try {
      this.#phases();
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#blame("client-threw", `a client could make no sense of what it got: ${reason}`);
    }
  }

  /** Ends early when a node has died of itself. */
  #phases(): void {
    const { cluster } = this;
    watchRun({
      cluster,
      plan: this.plan,
      noFalseDead: this.#noFalseDead,
      isLost: (seat) => this.#operators?.gaveUp(seat) === true,
      report: this.#report,
    });
    cluster.boot();
    if (!cluster.awaitReady()) this.#blame("cluster-never-ready", "not every node became ready");
    else if (this.#chaos() && this.#heal() && this.#drain() && this.#converge()) this.#audit();
    for (const death of cluster.world.deaths) {
      const text = `${death.node.name}: ${death.reason}`;
      this.#report({ at: death.at, invariant: "node-died", text });
    }
  }

  #blame(invariant: string, text: string): void {
    this.#report({ at: this.cluster.world.now, invariant, text });
  }

  get #dead(): boolean {
    return this.cluster.world.deaths.length > 0;
  }

  #pass(duration: DurationUs): void {
    const { world } = this.cluster;
    const until = instant(world.now + duration);
    while (!this.#dead && world.now < until) {
      world.runFor(Math.min(queueCheckUs, until - world.now));
      checkQueues(this.cluster, this.#report);
      this.cluster.membership.look(world.now);
    }
  }

  #until(within: DurationUs, condition: () => boolean): boolean {
    const { world } = this.cluster;
    return world.runUntil(instant(world.now + within), () => this.#dead || condition()) && !this.#dead;
  }

  #chaos(): boolean {
    const { cluster, plan } = this;
    const quorum = new QuorumHonoured(cluster, this.#report);
    if (plan.lastWrites && !makeLastWriteBucket(cluster)) this.#blame("bucket-is-set", "the bucket was never made");
    for (let i = 0; i < plan.clients; i += 1) cluster.addClient(quorum).fetchRing();
    const workload = new Workload(plan, cluster.world, cluster.clients);
    const operators = new RingOperators(cluster);
    this.#operators = operators;
    const identities = new IdentityActs(cluster, operators);
    this.#identities = identities;
    this.#faults = new Faults({
      world: cluster.world,
      drives: cluster.drives,
      clients: cluster.clients,
      onClientCrash: (client) => workload.onClientCrash(client),
      onNetworkFault: (now, blocked, begins) => this.#noFalseDead.onNetworkFault(now, blocked, begins),
      onIdentityAct: (now, act) => identities.act(now, act),
      onRot: (seat, fullKey, target) => cluster.ledger.onDamaged(seat, utf8Text(keyOf(fullKey)), target),
      onRingAct: (now, act) => operators.act(now, act),
      onBurst: (operations) => workload.burst(operations),
      mayRun: (seat) => operators.mayRun(seat),
    });
    const faults = this.#faults;
    cluster.world.excuse = (node, reason) =>
      identities.excuses(node, reason) ?? (faults.excuses(node, reason) || cluster.excuses(node, reason));
    cluster.bootJoiners();
    workload.start();
    this.#pass(plan.warmUpUs);
    this.#faults.schedule(cluster.world.now, this.schedule);
    this.#pass(plan.chaosUs);
    workload.stop();
    if (this.#until(3 * plan.deadlineUs, () => workload.idle)) return true;
    if (!this.#dead) this.#blame("operations-end", "the clients did not come to rest after the chaos");
    return false;
  }

  #heal(): boolean {
    const { cluster } = this;
    const { world } = cluster;
    const faults = this.#faults as Faults;
    const operators = this.#operators as RingOperators;
    faults.heal(world.now);
    this.#partTwins(faults);
    const ready = this.#until(healWithinUs, () => {
      faults.bootDead(world.now);
      return cluster.membersReady((seat) => operators.isAwaited(seat));
    });
    if (!ready && !this.#dead) this.#blame("cluster-not-ready-after-heal", "not every node became ready again");
    // What stalled in a split arrives late: a put that its client gave up long ago may still happen.
    this.#pass(quietUs);
    return ready && !this.#dead && this.#settleRing();
  }

  /** Two processes that are one node find out, and neither serves; then people choose. */
  #partTwins(faults: Faults): void {
    const identities = this.#identities as IdentityActs;
    const { world } = this.cluster;
    const parted = this.#until(partWithinUs, () => identities.parted);
    if (!parted && !this.#dead)
      this.#blame("twins-refuse", "a second process with the directory of a node goes on serving");
    identities.choose(world.now, (now, node) => faults.restart(now, node));
  }

  /** Operators and nodes bring to its end whatever was begun with the ring. */
  #settleRing(): boolean {
    const { world } = this.cluster;
    const operators = this.#operators as RingOperators;
    const until = instant(world.now + ringWithinUs);
    for (let rests = false; ; ) {
      rests ||= operators.settle();
      const open = this.cluster.transferring();
      if (rests && open.length === 0) {
        this.#identities?.end();
        return true;
      }
      if (this.#dead) return false;
      if (world.now >= until) {
        if (rests) this.#blame("transfers-drain", `transfers of nodes ${open.map((seat) => seat + 1)} never end`);
        else this.#blame("ring-settles", "what was begun with the ring does not come to its end");
        return false;
      }
      this.#pass(ringPollUs);
      this.#faults?.bootDead(world.now);
    }
  }

  get #ring(): Ring {
    return this.cluster.newestRing as Ring;
  }

  /** Once all is well, what is kept for others goes home (I-8). */
  #drain(): boolean {
    const home = this.#until(drainWithinUs, () => hintsLeft(this.cluster) === 0);
    if (!home && !this.#dead)
      this.#blame("hints-drain", `${hintsLeft(this.cluster)} hints are not delivered after healing`);
    return home;
  }

  /**
   * Writes every key once, then reads it at R = N, from one coordinator after the other, until all owners hold the
   * same; then once more from every coordinator, for the oracle.
   */
  #converge(): boolean {
    const reader = this.cluster.addClient(undefined, true);
    const keys = this.cluster.history.keys();
    if (!this.#mend() || !this.#repair(keys) || !this.#reap(reader, keys)) return false;
    if (!this.#writeAll(reader, keys) || !this.#drain()) return false;
    const serving = this.cluster.members();
    for (let round = 0; round < convergeRoundsMax; round += 1) {
      if (!this.#readAll(reader, keys, (index) => [serving[(index + round) % serving.length] as number], false))
        return false;
      this.#pass(settleUs);
      if (!this.#dead && this.#converged(keys)) break;
    }
    if (!this.#drain()) return false;
    if (!this.#readAll(reader, keys, () => serving, true)) return false;
    this.#pass(quietUs);
    if (this.plan.firewall) this.#closeFirewall(serving);
    this.#agree();
    return !this.#dead;
  }

  /** Long enough that everybody has probed a member which no datagram reaches, and could have given it up. */
  #closeFirewall(seats: readonly number[]): void {
    const { datagrams } = this.cluster.world;
    const inside = seats[this.cluster.world.rng.fork("firewall").below(seats.length)] as number;
    for (const seat of seats) {
      datagrams.block(inside, seat);
      datagrams.block(seat, inside);
    }
    this.#pass(firewallUs);
    datagrams.heal();
  }

  /** Gives the members the time in which all must believe the same; the audit says whether they do. */
  #agree(): void {
    const { membership, world } = this.cluster;
    const places = membership.placesOf(this.cluster.members());
    const until = instant(world.now + agreeWithinUs(profiles.lan, places.length));
    while (!this.#dead && world.now < until && !membersAgreed(places, membership.beliefOf)) this.#pass(queueCheckUs);
  }

  /** What is damaged is found and, where another owner can help, written anew; and the trees are true again. */
  #mend(): boolean {
    if (!this.plan.diskFaults.includes("bit-rot")) return true;
    const until = instant(this.cluster.world.now + mendWithinUs);
    const isWhole = (audit: Audit): boolean => damagedCopies(audit).length === 0 && wrongTrees(audit).length === 0;
    for (;;) {
      const audit = new Audit(this.cluster, this.#ring, this.#report);
      if (isWhole(audit)) return true;
      if (this.#dead) return false;
      if (this.cluster.world.now >= until) {
        damageMended.check(audit);
        merkleEqual.check(audit);
        return false;
      }
      this.#pass(repairPollUs);
    }
  }

  /** Without a single read all owners come to hold the same, where anti-entropy is given a chance. */
  #repair(keys: readonly string[]): boolean {
    const { repairPassMs, repairWindowMs } = this.plan;
    if (repairPassMs > repairPassMsMax) return true;
    const until = instant(this.cluster.world.now + 1000 * (repairRounds * (repairPassMs + repairWindowMs)));
    while (!this.#dead && this.cluster.world.now < until) {
      this.#pass(repairPollUs);
      const audit = new Audit(this.cluster, this.#ring, this.#report);
      if (keys.every((key) => isRepaired(audit, key))) return true;
    }
    const audit = new Audit(this.cluster, this.#ring, this.#report);
    for (const key of keys) if (!isRepaired(audit, key)) audit.blame("anti-entropy-converges", "owners differ", key);
    return false;
  }

  /** Where deletes are forgotten within a run: in a healed cluster every key is deleted, and no member's disk holds anything of it. */
  #reap(client: SimClient, keys: readonly string[]): boolean {
    if (!reapsWithinRun(this.plan)) return true;
    let open = keys.length;
    const remove = (key: string): void => {
      const again = (): void => this.cluster.world.scheduler.in(200_000, () => remove(key));
      client.read({ keys: [key], r: this.plan.n, strict: true }, (_now, read, context) => {
        if (read.outcome !== "ok") again();
        else {
          client.write({ kind: "delete", key, value: 0, padding: 0, context }, (_at, write) => {
            if (write.outcome === "ok") open -= 1;
            else again();
          });
        }
      });
    };
    for (const key of keys) remove(key);
    const done = this.#until(convergeWithinUs, () => open === 0);
    if (!done && !this.#dead) this.#blame("deletes-fail-after-heal", `${open} of ${keys.length} did not succeed`);
    if (!done || !this.#drain()) return false;
    const until = instant(this.cluster.world.now + reapWithinUs);
    const drives = this.cluster.members().map((seat) => this.cluster.drives[seat] as SimDrive);
    const left = (): boolean => drives.some((drive) => [...drive.records()].length > 0);
    while (!this.#dead && this.cluster.world.now < until && left()) this.#pass(repairPollUs);
    if (this.#dead) return false;
    if (left()) this.#blame("tombstones-drain", "deleted keys are not forgotten after healing");
    return !left();
  }

  /** A healed cluster takes a put of every key: being safe by doing nothing is not enough. */
  #writeAll(writer: SimClient, keys: readonly string[]): boolean {
    const serving = this.cluster.members();
    let open = keys.length;
    for (const [index, key] of keys.entries()) {
      const node = serving[index % serving.length] as number;
      writer.write(
        { kind: "put", key, value: lastValues + index, padding: 0, context: noContext, node },
        (_now, operation) => {
          if (operation.outcome === "ok" || operation.status === tooManySiblings) open -= 1;
        },
      );
    }
    const done = this.#until(convergeWithinUs, () => open === 0 || writer.open === 0) && open === 0;
    if (!done && !this.#dead) this.#blame("writes-fail-after-heal", `${open} of ${keys.length} puts did not succeed`);
    return done;
  }

  #readAll(
    reader: SimClient,
    keys: readonly string[],
    coordinators: (index: number) => readonly number[],
    final: boolean,
  ): boolean {
    let open = 0;
    const ask = (key: string, node: number): void => {
      reader.read({ keys: [key], r: this.plan.n, strict: true, final, node }, (_now, operation) => {
        if (operation.outcome === "ok") open -= 1;
        else this.cluster.world.scheduler.in(200_000, () => ask(key, node));
      });
    };
    for (const [index, key] of keys.entries()) {
      for (const node of coordinators(index)) {
        open += 1;
        ask(key, node);
      }
    }
    const done = this.#until(convergeWithinUs, () => open === 0);
    if (!done && !this.#dead) this.#blame("reads-fail-after-heal", `${open} of the convergence reads never succeeded`);
    return done;
  }

  #converged(keys: readonly string[]): boolean {
    const audit = new Audit(this.cluster, this.#ring, () => {});
    return keys.every((key) => {
      const copies = audit.owners(key).map((seat) => audit.disks[seat]?.get(key) ?? noBytes);
      return copies.every((copy) => equalBytes(copy, copies[0] as Uint8Array));
    });
  }

  #audit(): void {
    const audit = new Audit(this.cluster, this.#ring, this.#report);
    for (const invariant of endInvariants) invariant.check(audit);
    const { plan } = this;
    const lossy = this.schedule.some((fault) => losesCopies(fault.kind, plan.durability));
    const dotsOf = (requestId: string): ReturnType<typeof this.cluster.ledger.dotsOf> =>
      this.cluster.ledger.dotsOf(requestId);
    const forgotten = (key: string): VersionVector => this.cluster.ledger.forgotten(key);
    const recency = plan.r + plan.w > plan.n && !lossy;
    const stampOf = (requestId: string): number => this.cluster.ledger.stampOf(requestId);
    const white = { dotsOf, forgotten, stampOf, isLastWrite: isLastWriteKey };
    judge(this.cluster.history.operations, { recency, ...white }, this.#report);
  }

  /** Faults that happened, by class. */
  get faultCounts(): ReadonlyMap<Fault["kind"], number> {
    return this.#faults?.counts ?? new Map();
  }
}
