/** The datagrams suite on the simulated network, quiet and hostile; and the faults that only it can make. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { type Instant, instant } from "../../../src/base/time.ts";
import {
  DatagramNetwork,
  type DatagramOptions,
  quietDatagrams,
  type SimDatagrams,
} from "../../../src/sim/datagrams.ts";
import type { Place } from "../../../src/sim/place.ts";
import { World } from "../../../src/sim/world.ts";
import { datagramConformance } from "../../conformance/datagrams.ts";

class Bystander implements Place {
  readonly name = "bystander";
  life = 1;
  readonly alive = true;
  readonly powered = true;
  readonly position: number;
  held: ((now: Instant) => void)[] | undefined;

  constructor(position: number) {
    this.position = position;
  }

  enter(now: Instant, _life: number, entry: (now: Instant) => void): void {
    if (this.held === undefined) entry(now);
    else this.held.push(entry);
  }

  accept(): undefined {
    return undefined;
  }
}

class Pair {
  readonly world = new World({ seed: 5 });
  readonly network: DatagramNetwork;
  readonly places: Bystander[] = [];
  readonly sockets: SimDatagrams[] = [];
  readonly received: string[] = [];

  constructor(options: DatagramOptions = quietDatagrams) {
    this.network = new DatagramNetwork(this.world.network, new Rng(5), options);
    for (let i = 0; i < 2; i += 1) this.bind();
  }

  bind(): SimDatagrams {
    const place = new Bystander(this.world.network.size);
    const address = `10.0.0.${place.position}:7401`;
    this.world.network.add(place, address);
    const socket = this.network.bind(place, address);
    this.places.push(place);
    this.sockets.push(socket);
    return socket;
  }

  listen(): void {
    this.sockets[1]?.attach({ onDatagram: (_now, _from, bytes) => this.received.push(String(bytes[0])) });
  }

  send(count: number): void {
    for (let i = 0; i < count; i += 1) this.sockets[0]?.send("10.0.0.1:7401", Uint8Array.of(i));
    this.world.runFor(1_000_000);
  }
}

function simulated(options: DatagramOptions): Parameters<typeof datagramConformance>[1] {
  return () => {
    const pair = new Pair(options);
    let bound = 0;
    return {
      bind() {
        const socket = pair.sockets[bound] as SimDatagrams;
        bound += 1;
        return { socket, address: socket.address };
      },
      unusedAddress: () => "10.9.9.9:1",
      until(condition, again) {
        for (let tries = 0; !condition(); tries += 1) {
          if (tries > 10_000) throw new Error("the condition never held");
          again?.();
          pair.world.runFor(100);
        }
      },
      close() {},
    };
  };
}

datagramConformance("simulated", simulated(quietDatagrams));
datagramConformance(
  "simulated, hostile",
  simulated({ ...quietDatagrams, lossPerMille: 300, duplicatePerMille: 200, reorderPerMille: 300 }),
);

describe("faults of datagrams", () => {
  it("loses, doubles and reorders as often as it is told", () => {
    const pair = new Pair({ ...quietDatagrams, lossPerMille: 500 });
    pair.listen();
    pair.send(200);
    expect(pair.received.length).toBeGreaterThan(70);
    expect(pair.received.length).toBeLessThan(130);
    const doubled = new Pair({ ...quietDatagrams, duplicatePerMille: 1_000 });
    doubled.listen();
    doubled.send(50);
    expect(doubled.received.length).toBe(100);
    const mixed = new Pair({ ...quietDatagrams, reorderPerMille: 500 });
    mixed.listen();
    mixed.send(50);
    expect(mixed.received).not.toEqual([...mixed.received].sort((a, b) => Number(a) - Number(b)));
    expect(new Set(mixed.received).size).toBe(50);
  });

  it("closes paths to datagrams alone, as often as it was asked to, in one direction", () => {
    const pair = new Pair();
    pair.listen();
    pair.network.block(0, 1);
    pair.network.block(0, 1);
    pair.send(1);
    pair.network.unblock(0, 1);
    pair.send(1);
    expect(pair.received).toEqual([]);
    expect(pair.world.network.passes(pair.places[0] as Place, pair.places[1] as Place)).toBe(true);
    pair.network.unblock(0, 1);
    pair.network.block(1, 0);
    pair.send(1);
    expect(pair.received).toEqual(["0"]);
    expect(() => pair.network.unblock(0, 1)).toThrow("not closed");
  });

  it("takes what is on its way when a split begins", () => {
    const pair = new Pair();
    pair.listen();
    pair.sockets[0]?.send("10.0.0.1:7401", Uint8Array.of(1));
    pair.world.network.block(0, 1);
    pair.world.runFor(1_000_000);
    pair.world.network.unblock(0, 1);
    pair.world.runFor(1_000_000);
    expect(pair.received).toEqual([]);
  });

  it("fills the socket buffer of a paused place, and no more", () => {
    const pair = new Pair({ ...quietDatagrams, bufferBytes: 10 });
    pair.listen();
    const place = pair.places[1] as Bystander;
    place.held = [];
    pair.send(20);
    expect(place.held.length).toBe(10);
    const { held } = place;
    place.held = undefined;
    for (const entry of held) entry(instant(pair.world.now));
    expect(pair.received.length).toBe(10);
    pair.send(3);
    expect(pair.received.length).toBe(13);
  });

  it("a socket of an earlier life sends and receives nothing", () => {
    const pair = new Pair();
    pair.listen();
    (pair.places[0] as Bystander).life = 2;
    pair.send(1);
    expect(pair.received).toEqual([]);
    expect(pair.sockets[0]?.counters.dropped).toBe(1);
  });
});
