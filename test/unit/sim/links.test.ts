/** The links suite on the simulated network, quiet and hostile: the same contract as real sockets. */
import type { Instant } from "../../../src/base/time.ts";
import { instant } from "../../../src/base/time.ts";
import { quietNetwork } from "../../../src/sim/network.ts";
import type { NetworkOptions } from "../../../src/sim/paths.ts";
import type { Place } from "../../../src/sim/place.ts";
import { World } from "../../../src/sim/world.ts";
import type { Acceptor, Link, LinkEvents } from "../../../src/wire/link.ts";
import { type LinkWorld, linkConformance } from "../../conformance/links.ts";

/** A place that only passes on what enters it. */
class Bystander implements Place {
  readonly name = "bystander";
  readonly life = 1;
  readonly alive = true;
  readonly powered = true;
  readonly position: number;
  readonly #acceptor: Acceptor | undefined;

  constructor(position: number, acceptor: Acceptor | undefined) {
    this.position = position;
    this.#acceptor = acceptor;
  }

  enter(now: Instant, _life: number, entry: (now: Instant) => void): void {
    entry(now);
  }

  accept(now: Instant, link: Link): LinkEvents | undefined {
    return this.#acceptor?.(now, link);
  }
}

function simulated(network: NetworkOptions): LinkWorld {
  const world = new World({ seed: 7, network });
  const dialler = new Bystander(0, undefined);
  world.network.add(dialler, undefined);
  return {
    transport: world.network.transport(dialler),
    listen(accept) {
      const address = `127.0.0.1:${8000 + world.network.size}`;
      world.network.add(new Bystander(world.network.size, accept), address);
      return address;
    },
    unusedAddress: () => "127.0.0.1:9",
    until(condition) {
      if (!world.runUntil(instant(world.now + 60_000_000), condition)) throw new Error("the condition never held");
    },
    close() {},
  };
}

const usual = { ...quietNetwork, delayJitterUs: 300, windowBytes: 64 * 1024 };
linkConformance("simulated", () => simulated(usual));
linkConformance("simulated, in pieces", () =>
  simulated({ ...usual, windowBytes: 4096, fragmentPerMille: 700, dawdlePerMille: 300 }),
);
