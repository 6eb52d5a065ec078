/**
 * The consensus under everything that a network and a power cut can do to it, from seeds: never two rings of one epoch,
 * never an epoch that goes back, and a decision as soon as a majority lives and is heard. And the proof that this world
 * would notice: two planted bugs that it finds.
 */
import { afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { statusOk } from "../../../src/base/errors.ts";
import type { NodeNumber } from "../../../src/base/ids.ts";
import { ringProposalsTiming } from "../../../src/ring/consensus-effects.ts";
import { nextRing } from "../../../src/ring/next-ring.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { ConsensusBroken, ConsensusWorld, calmNetwork, withWeight } from "./consensus-world.ts";
import { fieldsOf, memberOf, membersOn } from "./support.ts";

function firstRing(members: number): Ring {
  const owners = Array.from({ length: 8 }, (_, p) => 1 + (p % members));
  return new Ring({ ...fieldsOf(membersOn(members), owners) });
}

/** One step of trouble or of work. */
function stir(world: ConsensusWorld): void {
  const { rng } = world;
  const up = [...world.nodes.values()].filter((node) => node.core !== null);
  const down = [...world.nodes.values()].filter((node) => node.core === null && !node.fenced);
  const kind = rng.below(10);
  if (kind < 5 && up.length > 0) {
    const node = rng.pick(up);
    const held = world.core(node.number).ring.ring;
    world.propose(node.number, signed(world, change(world, held)));
    if (rng.chance(600)) loseOne(world);
  } else if (kind < 7 && up.length > 0) world.crash(rng.pick(up).number);
  else if (kind < 9 && down.length > 0) world.start(rng.pick(down).number);
  else split(world);
}

/** No two changes are the same: then the outcome of each can be told. */
function signed(world: ConsensusWorld, ring: Ring): Ring {
  const name = `by ${world.rng.u32()}`;
  return new Ring({ ...ring, members: ring.members.map((one) => (one.number === 1 ? { ...one, name } : one)) });
}

/** While votes are being saved, one node dies, and is back soon. */
function loseOne(world: ConsensusWorld): void {
  const { rng, network } = world;
  const node = rng.pick([...world.nodes.values()]);
  world.after(rng.below(3 * (network.delayUsMax + network.saveUsMax)), () => {
    if (node.core === null) return;
    world.crash(node.number, rng.chance(250) ? 1 : 0);
    world.after(rng.below(2_000_000), () => {
      if (node.core === null && !node.fenced) world.start(node.number);
    });
  });
}

/** Mostly a weight; now and then a member more, or one that owns nothing less. */
function change(world: ConsensusWorld, ring: Ring): Ring {
  const { rng } = world;
  const kind = rng.below(8);
  const owning = new Set<number>(ring.owners);
  const idle = ring.members.filter((member) => member.status !== "left" && !owning.has(member.number));
  if (kind === 0 && ring.members.length < 9) {
    const number = 1 + ring.members.length;
    return nextRing(ring, { members: [...ring.members, memberOf(number, { status: "joining" })] });
  }
  if (kind === 1 && idle.length > 0) {
    const gone = rng.pick(idle).number;
    return nextRing(ring, {
      members: ring.members.map((one) => (one.number === gone ? { ...one, status: "left" as const } : one)),
    });
  }
  return withWeight(ring, rng.pick(ring.members).number, rng.between(1, 1000));
}

function split(world: ConsensusWorld): void {
  const side = new Set<NodeNumber>();
  for (const number of world.nodes.keys()) if (world.rng.chance(400)) side.add(number);
  const oneWay = world.rng.chance(300);
  world.reaches = (from, to) => side.has(from) === side.has(to) || (oneWay && side.has(from));
}

/** New members get a machine as soon as their ring is chosen. */
function addMachines(world: ConsensusWorld): void {
  const newest = world.newest();
  for (const member of newest.ring.members) {
    if (world.nodes.has(member.number) || member.status === "left") continue;
    world.add(member.number, newest);
    world.start(member.number);
  }
}

function heal(world: ConsensusWorld): void {
  world.reaches = () => true;
  world.network = { ...calmNetwork };
  world.startAll();
}

function settled(world: ConsensusWorld): boolean {
  const { epoch } = world.newest().ring;
  return [...world.nodes.values()].every((node) => node.fenced || node.core?.ring.ring.epoch === epoch);
}

/** A run from a seed: trouble, healing, and then a change must be decided with only a majority alive. */
function runSeed(seed: number): ConsensusWorld {
  const world = new ConsensusWorld(seed, firstRing(3 + (seed % 4)));
  const { rng } = world;
  world.network = {
    lossPerMille: rng.below(250),
    doublePerMille: rng.below(200),
    delayUsMax: 1_000 + rng.below(400_000),
    saveUsMax: 1_000 + rng.below(100_000),
  };
  world.startAll();
  for (let step = 0; step < 40; step += 1) {
    world.run(rng.below(1_500));
    addMachines(world);
    stir(world);
    if (rng.chance(200)) world.reaches = () => true;
  }
  heal(world);
  world.runUntil("everybody holds the newest ring, and nothing is half-chosen", 60_000, () => {
    addMachines(world);
    return settled(world);
  });
  // What was accepted by a minority may still be finished.
  world.run(12_000);
  addMachines(world);
  world.runUntil("all agree", 20_000, () => settled(world));
  decideWithMajority(world);
  return world;
}

function decideWithMajority(world: ConsensusWorld): void {
  const { ring } = world.newest();
  const voters = ring.members.filter((member) => member.status !== "left").map((member) => member.number);
  const dead = world.rng.shuffle([...voters]).slice(0, Math.ceil(voters.length / 2) - 1);
  for (const number of dead) world.crash(number);
  const alive = voters.find((number) => !dead.includes(number)) as NodeNumber;
  const token = world.propose(alive, withWeight(ring, voters[0] as number, 999 - (ring.epoch % 7)));
  world.runUntil("a majority decides", 10_000, () => world.decisions.has(token));
  expect(world.decisions.get(token)?.status).toBe(statusOk);
}

describe("one ring per epoch", () => {
  it.each(Array.from({ length: 25 }, (_, i) => i + 1))("seed %i", (seed) => {
    const world = runSeed(seed);
    expect(world.alarms).toEqual([]);
    expect(world.chosen.size).toBeGreaterThan(1);
  });
});

/** Everybody proposes all the time, half of the messages are lost, and nodes die while their votes are being saved. */
function runDuels(seed: number): ConsensusWorld {
  const world = new ConsensusWorld(seed, firstRing(3 + 2 * (seed % 2)));
  const { rng } = world;
  world.timing = { ...ringProposalsTiming, finishUs: 300_000, resendUs: 60_000, backOffUs: 10_000, requestUs: 800_000 };
  const slowDisk = seed % 4 < 2;
  world.network = {
    lossPerMille: rng.below(500),
    doublePerMille: 50,
    delayUsMax: slowDisk ? 3_000 : 30_000,
    saveUsMax: slowDisk ? 150_000 : 10_000,
  };
  world.pings = false;
  world.startAll();
  for (let step = 0; step < 120; step += 1) {
    world.run(rng.below(60));
    for (const node of world.nodes.values()) {
      if (node.core === null) {
        if (rng.chance(500)) world.start(node.number);
      } else if (rng.chance(80)) world.crash(node.number, 0);
      else if (rng.chance(300)) {
        world.propose(node.number, signed(world, withWeight(node.core.ring.ring, 2, rng.between(1, 1000))));
      }
    }
  }
  heal(world);
  world.runUntil("all agree", 20_000, () => settled(world));
  return world;
}

/** Most of the members die for good in the midst of changes; those left recover, through trouble of their own. */
function runRecovery(seed: number): ConsensusWorld {
  const world = new ConsensusWorld(seed, firstRing(5));
  const { rng } = world;
  world.network = { lossPerMille: rng.below(200), doublePerMille: 100, delayUsMax: 50_000, saveUsMax: 30_000 };
  world.startAll();
  for (let i = 0; i < 3; i += 1) {
    const { number } = rng.pick([...world.nodes.values()]);
    world.propose(number, signed(world, withWeight(world.core(number).ring.ring, 2, rng.between(1, 1000))));
    world.run(rng.below(600));
  }
  const numbers = rng.shuffle([...world.nodes.keys()]);
  const lost = numbers.slice(0, 3);
  const left = numbers.slice(3);
  for (const number of lost) world.crash(number);
  world.run(2_500);
  const recovered = (): boolean => left.every((number) => world.core(number).ring.ring.epoch > 1 << 20);
  for (let attempt = 0; attempt < 10; attempt += 1) {
    for (const number of left) if (rng.chance(700)) world.recover(number, lost);
    world.run(2_000 + rng.below(8_000));
    const node = world.node(rng.pick(left));
    if (rng.chance(500)) {
      world.crash(node.number, 0);
      world.run(rng.below(2_000));
      world.start(node.number);
    }
  }
  world.network = { ...calmNetwork };
  const token = world.recover(left[0] as NodeNumber, lost);
  world.runUntil("recovered", 30_000, () => world.decisions.has(token) && recovered());
  for (const number of lost) world.start(number);
  world.runUntil("those who were lost are fenced", 10_000, () => lost.every((number) => world.node(number).fenced));
  decideWithMajority(world);
  return world;
}

describe("duels", () => {
  it.each(Array.from({ length: 12 }, (_, i) => i + 1))("seed %i", (seed) => {
    expect(runDuels(seed).alarms).toEqual([]);
  });
});

describe("a recovery", () => {
  it.each(Array.from({ length: 12 }, (_, i) => i + 1))("seed %i", (seed) => {
    const world = runRecovery(seed);
    const { ring } = world.newest();
    expect(world.alarms).toEqual([]);
    expect(ring.members.filter((member) => member.status === "left").length).toBe(3);
  });
});

describe("this world notices", () => {
  afterEach(() => enableCanaries([]));

  it.each([
    ["vote-before-save", 0],
    ["promise-hides-accepted", 0],
  ])("%s within 60 seeds, from %i on", (name, first) => {
    enableCanaries([name]);
    const notices = (seed: number): boolean => {
      try {
        return runDuels(seed).alarms.length > 0;
      } catch (error) {
        if (error instanceof ConsensusBroken) return true;
        throw error;
      }
    };
    expect(Array.from({ length: 60 }, (_, i) => first + i).some(notices)).toBe(true);
  });
});
