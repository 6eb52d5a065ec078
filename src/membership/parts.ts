/**
 * Parts: membership's parts, made and tied together, and the few things that several of them do: passing an update on,
 * raising this node's incarnation, writing the file. What arrives goes through `inbox.ts`, what is due through
 * `membership.ts`.
 */
import { canary } from "../base/canary.ts";
import { idBytes } from "../base/ids.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import type { Fields } from "../wire/codec.ts";
import type { StateSync } from "../wire/gen/codecs.ts";
import { CloneCheck } from "./clone-check.ts";
import { Alarm, type MembershipCounters, type MembershipEffects, type MembershipOptions } from "./effects.ts";
import { LocalHealth } from "./local-health.ts";
import { Mailer } from "./mailer.ts";
import { Member, MemberState, type Update } from "./member.ts";
import { MemberTable } from "./member-table.ts";
import { decodeMembers, encodeMembers, noStoredMembers } from "./members-file.ts";
import { OwnMember } from "./own-member.ts";
import { messageOf } from "./packets.ts";
import { type ProbeEffects, Prober } from "./probe.ts";
import type { Profile } from "./profile.ts";
import { Relays } from "./relays.ts";
import { Rounds } from "./rounds.ts";
import { Saver } from "./saver.ts";
import { type StateSyncEffects, StateSyncs } from "./state-sync.ts";
import { type VerdictEffects, Verdicts } from "./verdicts.ts";

const udpAlarmUs: DurationUs = 60_000_000;

function noCounts(): MembershipCounters {
  return {
    datagramsIn: 0,
    datagramsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    malformed: 0,
    wrongCluster: 0,
    refuted: 0,
    stalls: 0,
  };
}

export class Parts {
  readonly counters: MembershipCounters = noCounts();
  readonly effects: MembershipEffects;
  readonly profile: Profile;
  readonly cluster: Uint8Array;
  readonly health: LocalHealth;
  readonly own: OwnMember;
  readonly table: MemberTable;
  readonly mailer: Mailer;
  readonly verdicts: Verdicts;
  readonly prober: Prober;
  readonly relays: Relays;
  readonly syncs: StateSyncs;
  readonly rounds: Rounds;
  readonly clones: CloneCheck;
  readonly saver: Saver;
  /** Those that have something to do at a time. */
  readonly timed: readonly { next(): Instant }[];
  started = false;
  /** The first lease is on disk: this node may say who it is. */
  speaking = false;
  /** Another node bears this id: nothing is said any more. */
  cloned = false;
  /** But to that one. */
  answeringTwin = false;

  constructor(options: MembershipOptions) {
    const { effects, profile, id, meta, rng, progress } = options;
    const stored = options.stored === null ? noStoredMembers : decodeMembers(options.stored);
    const storedTop = canary("forget-incarnation") ? 0 : stored.incarnationTop;
    const seeds = options.seeds.filter((seed) => seed !== meta.address);
    this.effects = effects;
    this.profile = profile;
    this.cluster = idBytes(options.clusterId);
    this.health = new LocalHealth(profile.healthLevels);
    this.own = new OwnMember({ id, boot: rng.u32(), meta, storedTop, progress });
    this.table = new MemberTable(rng.fork("order"));
    const { own, table, cluster, health } = this;
    const send = (now: Instant, address: string, bytes: Uint8Array): void => this.#sendDatagram(now, address, bytes);
    const firstSequence = rng.u32();
    this.mailer = new Mailer({ cluster, own, table, profile, firstSequence, effects: { sendDatagram: send } });
    this.verdicts = new Verdicts({ profile, table, self: id, effects: this.#verdictEffects() });
    this.prober = new Prober({ profile, table, health, rng: rng.fork("probe"), effects: this.#probeEffects() });
    this.relays = new Relays(profile, this.mailer);
    this.syncs = new StateSyncs({ profile, rng: rng.fork("sync"), seeds, effects: this.#syncEffects() });
    const syncWith = (now: Instant, address: string): void => this.syncs.with(now, address);
    this.rounds = new Rounds({ profile, table, mailer: this.mailer, rng: rng.fork("rounds"), seeds, syncWith });
    this.clones = new CloneCheck(own, this.mailer, profile);
    this.saver = new Saver((now, token) => this.#save(now, token));
    this.timed = [this.prober, this.relays, this.verdicts, this.rounds, this.syncs, this.clones, this.saver];
    for (const update of stored.members) this.#load(update);
  }

  #verdictEffects(): VerdictEffects {
    return {
      changed: (now, member, before) => {
        if (member.state !== MemberState.suspect) this.saver.touch(now);
        if (this.started) this.effects.memberChanged(now, member, before);
      },
      flappingChanged: (now, member) => this.effects.flappingChanged(now, member),
      spread: (now, update) => this.spread(now, update),
    };
  }

  #probeEffects(): ProbeEffects {
    const mailer = this.mailer;
    return {
      nextSequence: () => mailer.nextSequence(),
      ping: (now, target, sequence) => mailer.ping(now, target, sequence),
      pingReq: (now, helper, target, sequence) => mailer.pingReq(now, helper, target, sequence),
      pingOverTcp: (now, target, sequence) =>
        this.effects.pingOverTcp(now, target.address, mailer.tcpPing(target, sequence)),
      probeFailed: (now, target) => this.verdicts.suspect(now, target),
      udpBlocked: (now, target) => {
        if (target.udpAlarmAt !== undefined && now < target.udpAlarmAt + udpAlarmUs) return;
        target.udpAlarmAt = now;
        this.effects.alarm(now, Alarm.udpBlocked, target.id, target.address);
      },
    };
  }

  #syncEffects(): StateSyncEffects {
    return {
      requestStateSync: (now, address, token) => this.effects.requestStateSync(now, address, token, this.wholeState()),
      anyAddress: () => this.table.pick(1, (member) => member.reachable)[0]?.address,
      members: () => this.table.reachable + 1,
    };
  }

  /** A row of the file. Whoever was suspect then gets a new chance: nobody has asked it since. */
  #load(stored: Update): void {
    const state = stored.state === MemberState.suspect ? MemberState.alive : stored.state;
    if (stored.id === this.own.id || this.table.get(stored.id) !== undefined) return;
    const longAgo = instant(-this.profile.gossipToDeadUs);
    this.table.add(new Member(longAgo, { ...stored, state }));
  }

  #sendDatagram(now: Instant, address: string, bytes: Uint8Array): void {
    if (!this.speaking || (this.cloned && !this.answeringTwin)) return;
    this.counters.datagramsOut += 1;
    this.counters.bytesOut += bytes.length;
    this.effects.sendDatagram(now, address, bytes);
  }

  #save(now: Instant, token: number): number {
    const top = this.own.topToSave;
    this.effects.persist(now, encodeMembers(top, this.table.members), token);
    return top;
  }

  /** Passes an update on. */
  spread(now: Instant, update: Update): void {
    this.mailer.spread(update);
    this.rounds.wake(now);
  }

  /** This node's incarnation rose: tell everybody. */
  announce(now: Instant): void {
    this.spread(now, this.own.update());
    if (this.own.wantsLease) this.saver.hurry(now);
  }

  /** Rises to an incarnation of at least `least`, as soon as the lease allows. */
  raise(now: Instant, least: number): void {
    if (this.own.raise(least)) this.announce(now);
    else this.saver.hurry(now);
  }

  /** All that is known, this node included, as a message. */
  wholeState(): Fields<StateSync> {
    const members = this.table.members.map((member) => messageOf(member, false));
    members.push(messageOf(this.own.update(), false));
    return { clusterId: this.cluster, head: this.own.head(), members };
  }
}
