/**
 * Which way a record goes between two nodes, by what the versions say: the decision of an exchange, as a pure function.
 * Whoever's vector covers the other's knows all that the other knows, so one way is enough. Equal vectors with different
 * hashes are the rare residue of twins (version/sibling-set.ts): a merge on both sides settles it.
 */
import { compareVersions, type VersionVector } from "../version/version-vector.ts";

/**
 * Who lacks something; numbers of the schema's `Relation`. `unreadable`: the answerer cannot say what it holds, this time;
 * `damaged`: nor ever.
 */
export const Relation = {
  same: 0,
  askerBehind: 1,
  answererBehind: 2,
  diverged: 3,
  unreadable: 4,
  damaged: 5,
} as const;
/** One of the relations. */
export type Relation = (typeof Relation)[keyof typeof Relation];

/** What one side holds of a key. No record: the empty vector and a hash of 0. */
export interface Held {
  readonly version: VersionVector;
  /** The causal hash. */
  readonly hashHigh: number;
  readonly hashLow: number;
}

/** What the two sides' copies of one key are to each other. */
export function decideRelation(asker: Held, answerer: Held): Relation {
  if (asker.hashHigh === answerer.hashHigh && asker.hashLow === answerer.hashLow) return Relation.same;
  const order = compareVersions(asker.version, answerer.version);
  if (order === "before") return Relation.askerBehind;
  return order === "after" ? Relation.answererBehind : Relation.diverged;
}

/** Whether the asker is to be sent the record. */
export function bringsRecord(relation: number): boolean {
  return relation === Relation.askerBehind || relation === Relation.diverged;
}

/** Whether the asker is to send its own. */
export function wantsRecord(relation: number): boolean {
  return relation === Relation.answererBehind || relation === Relation.diverged;
}
