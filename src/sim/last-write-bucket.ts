/** Making the bucket where the last write wins, as `ringtail bucket set` does, before any client uses it. */
import { utf8 } from "../base/bytes.ts";
import { Resolver } from "../base/resolver.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import { FrameType, RingChangeKind } from "../wire/frame-types.ts";
import { RingChangeReply, RingChangeRequest } from "../wire/gen/codecs.ts";
import { addressOf, type Cluster } from "./cluster.ts";
import { lastWriteBucketName } from "./history.ts";
import { SimOperator } from "./operator.ts";

const withinUs: DurationUs = 20_000_000;
const againUs: DurationUs = 2_000_000;

/** Has a node propose the change, again and again until every member obeys it; false: that never came. */
export function makeLastWriteBucket(cluster: Cluster): boolean {
  const { world } = cluster;
  const name = utf8(lastWriteBucketName);
  const operator = new SimOperator(world.network);
  const isSet = (): boolean =>
    cluster.members().every((seat) => cluster.nodeAt(seat)?.ring?.policyOf(name).resolver === Resolver.lww);
  const until = instant(world.now + withinUs);
  for (let next: Instant = world.now; !isSet() && world.now < until; next = instant(next + againUs)) {
    const before = cluster.newestRing?.policyOf(name);
    if (before === undefined || before.resolver === Resolver.lww) {
      world.runUntil(next, isSet);
      continue;
    }
    const { n, r, w, durability, version } = before;
    const policy = { name: lastWriteBucketName, n, r, w, durability, resolver: Resolver.lww, version: version + 1 };
    const message = { kind: RingChangeKind.setBucket, policy };
    const question = { address: addressOf(0), type: FrameType.RING_CHANGE, codec: RingChangeRequest, message };
    operator.ask({ ...question, reply: RingChangeReply }, () => undefined);
    world.runUntil(instant(next + againUs), isSet);
  }
  return isSet();
}
