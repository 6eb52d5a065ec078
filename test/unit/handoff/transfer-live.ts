/** A random life of a transfer world, and how it ends: shared by the tests of this folder. */
import type { PartitionId } from "../../../src/base/ids.ts";
import { type Planted, TransferWorld, type WorldOptions } from "../../support/transfer-world.ts";

/** One world: movement, puts, crashes and losses, then healing; throws if a promise is broken. */
export function live(seed: number, planted: Planted = "none", focus?: WorldOptions["focus"]): TransferWorld {
  const world = new TransferWorld({ seed, planted, lossPerMille: 60, troublePerMille: 30, ...(focus && { focus }) });
  const { rng } = world;
  const keys = Array.from({ length: 24 }, (_, i) => world.keyNamed(`key-${i}`, i % 4 === 0));
  for (let step = 0; step < 250; step += 1) {
    world.put(rng.pick(keys));
    if (rng.chance(60)) world.move(rng.below(8), 1 + rng.below(6));
    if (rng.chance(400)) world.flip();
    if (rng.chance(6) && world.newest.active.length > 0) world.cancel(rng.pick([...world.newest.active]));
    const unlucky = rng.pick(world.nodes).number;
    if (rng.chance(20)) world.lose(unlucky, rng.below(8) as PartitionId, rng.pick([2, 3]));
    const victim = rng.pick(world.nodes);
    const down = world.nodes.filter((node) => !node.alive).length;
    if (!victim.alive) world.restart(victim.number);
    else if (rng.chance(60) && down < 2) world.crash(victim.number);
    world.run(rng.below(12_000));
    if (step % 3 === 0) world.check();
  }
  heal(world);
  return world;
}

/** Transfers are confirmed and then cancelled, while clients put and the news of it is on its way; throws likewise. */
export function liveCancelled(seed: number, planted: Planted = "none"): TransferWorld {
  const world = new TransferWorld({ seed, planted, ringUs: 200_000 });
  const keys = Array.from({ length: 8 }, (_, i) => world.keyNamed(`key-${i}`, i % 2 === 0));
  for (const position of [0, 3]) {
    if (!world.move(position, 5)) throw new Error("no valid ring");
    const due = world.newest.transfers().length;
    const confirmed = (): boolean => world.node(5).core?.confirmed().length === due;
    if (!world.runUntil(confirmed, 10_000_000)) throw new Error("never confirmed");
    world.cancel(position);
    for (let step = 0; step < 50; step += 1) {
      for (const key of keys) world.put(key);
      world.run(4_000);
      world.check();
    }
  }
  heal(world);
  return world;
}

/** Everybody lives and every message arrives: all must come to rest, with nothing missing. Throws if not. */
export function heal(world: TransferWorld): void {
  world.lossPerMille = 0;
  world.troublePerMille = 0;
  for (const node of world.nodes) if (!node.alive) world.restart(node.number);
  let looks = 0;
  const quiet = world.runUntil(() => {
    world.flip();
    for (const node of world.nodes) node.newerRing();
    looks += 1;
    if (looks % 4 === 0) world.check();
    return world.quiet;
  }, 20_000_000);
  if (!quiet) throw new Error("never quiet");
  const fault = world.faultAtRest();
  if (fault !== null) throw new Error(fault);
}
