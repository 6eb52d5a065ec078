// The faults of a chaos run, drawn from its seed: every few seconds one begins, and each is undone after a while, so that
// several may be there at once. What a machine does not permit is left out loudly (`permitted`).
//
// Data is taken away from at most one node of a run, the victim: that is what N copies and W acknowledgements are owed
// against. All other faults may hit anybody. A victim whose store cannot be mended is replaced at the end, as its last words
// tell people to.
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ringtail } from "../shared/processes.mjs";
import { untilAllServe } from "../shared/served-nodes.mjs";
import { corrupt, fillDisk } from "./disk-faults.mjs";

const ends = { tcp: "ok", udp: "ok" };
const noise = { delayMs: 0, jitterMs: 0, lossPerMille: 0, duplicatePerMille: 0 };

export class Nemesis {
  /** By name: how often it was done. */
  counts = {};
  #tasks = new Set();
  #over = false;
  /** The victim's disk has one fault at a time. */
  #isDiskBusy = false;

  /** `nodes`: NodeProcess; `directories`: their data; `victim`: a position; `say`: for the log. */
  constructor({ rng, nodes, directories, proxy, victim, permitted, say }) {
    Object.assign(this, { rng, nodes, directories, proxy, victim, permitted, say });
    this.faults = [
      ["kill", 4, () => this.#kill(1)],
      ["kill-some", 2, () => this.#kill(2 + this.rng.below(this.nodes.length - 1))],
      ["kill-during-start", 1, () => this.#killDuringStart()],
      ["pause", 4, () => this.#pause()],
      ["split", 3, () => this.#split({ tcp: "silent", udp: "silent" }, true)],
      ["split-refused", 2, () => this.#split({ tcp: "refused", udp: "silent" }, true)],
      ["one-way", 2, () => this.#split({ tcp: "silent", udp: "silent" }, false)],
      ["udp-only", 2, () => this.#split({ tcp: "silent" }, true)],
      ["tcp-only", 2, () => this.#split({ udp: "silent" }, true)],
      ["slow", 2, () => this.#disturb({ delayMs: this.rng.between(5, 200), jitterMs: this.rng.between(1, 200) })],
      ["lossy", 2, () => this.#disturb({ ...this.#badDatagrams(), jitterMs: this.rng.between(1, 50) })],
      ["clock", 1, () => this.#clock()],
      ...(permitted.diskFull ? [["disk-full", 2, () => this.#onDisk(() => this.#diskFull())]] : []),
      ...(permitted.corruption ? [["corruption", 1, () => this.#onDisk(() => this.#corruption())]] : []),
    ];
  }

  #badDatagrams() {
    return { lossPerMille: this.rng.between(10, 300), duplicatePerMille: this.rng.between(10, 300) };
  }

  #some() {
    return this.rng.below(this.nodes.length);
  }

  /** Begins faults until the time is over. */
  async run(untilMs, everyMs) {
    while (Date.now() < untilMs) {
      const all = this.faults.flatMap(([name, weight, act]) => new Array(weight).fill([name, act]));
      const [name, act] = this.rng.pick(all);
      this.counts[name] = (this.counts[name] ?? 0) + 1;
      const task = act().catch((error) => this.say(`the fault ${name} failed: ${error.stack}`));
      this.#tasks.add(task);
      void task.finally(() => this.#tasks.delete(task));
      await sleep(
        Math.min(this.rng.between(everyMs >> 1, everyMs + (everyMs >> 1)), Math.max(0, untilMs - Date.now())),
      );
    }
  }

  /** Undoes everything; resolves when all nodes run and serve. Throws if one does not come back. */
  async heal() {
    this.#over = true;
    await Promise.all(this.#tasks);
    this.proxy.healAll();
    for (const node of this.nodes) {
      node.resume();
      if (node.clockOffsetMs !== 0) {
        await node.kill("SIGTERM");
        node.clockOffsetMs = 0;
      }
      node.start();
    }
    const victim = this.nodes[this.victim];
    const others = this.nodes.filter((node) => node !== victim);
    await untilAllServe(others);
    if (!(await victim.ready()) && victim.lastWords.at(-1)?.includes("ringtail cluster replace"))
      await this.#replace(victim, others);
    await untilAllServe(this.nodes);
  }

  /** The cure that a node tells whose store is beyond repair: a new one with an empty directory takes its place. */
  async #replace(node, others) {
    this.say(`${node.name} is replaced: ${node.lastWords.at(-1)}`);
    this.counts.replaced = (this.counts.replaced ?? 0) + 1;
    await node.kill();
    rmSync(this.directories[this.victim], { recursive: true });
    const addresses = others.map(({ address }) => address);
    node.settings = node.settingsAsNewcomer(addresses[0]);
    node.start();
    await ringtail(addresses, "cluster", "replace", node.name, "--wait-ms", "30000");
    const { plan } = await ringtail(addresses, "cluster", "plan");
    await ringtail(addresses, "cluster", "commit", plan);
  }

  /** Waits, but not beyond the end of the run. */
  async #for(ms) {
    for (const end = Date.now() + ms; Date.now() < end && !this.#over; ) await sleep(50);
  }

  async #kill(count) {
    const hit = this.rng.shuffle([...this.nodes]).slice(0, count);
    const downMs = this.rng.pick([0, 500, 3_000, 12_000]);
    this.say(`kill -9 ${hit.map(({ name }) => name).join(" ")} for ${downMs} ms`);
    await Promise.all(hit.map((node) => node.kill()));
    await this.#for(downMs);
    for (const node of hit) node.start();
  }

  async #killDuringStart() {
    const node = this.nodes[this.#some()];
    this.say(`kill -9 ${node.name} three times while it starts`);
    for (let i = 0; i < 3; i += 1) {
      await node.kill();
      node.start();
      await this.#for(this.rng.between(100, 1_500));
    }
  }

  async #pause() {
    const node = this.nodes[this.#some()];
    const ms = this.rng.pick([50, 500, 3_000, 10_000]);
    this.say(`SIGSTOP ${node.name} for ${ms} ms`);
    node.pause();
    await this.#for(ms);
    node.resume();
  }

  /** Cuts some nodes off from the others; `both` ways, or only what they send. */
  async #split(change, both) {
    const order = this.rng.shuffle(this.nodes.map((_, index) => index));
    const cut = this.rng.between(1, this.nodes.length - 1);
    const ms = this.rng.pick([500, 3_000, 10_000, 20_000]);
    const pairs = order.slice(0, cut).flatMap((from) => order.slice(cut).map((to) => [from, to]));
    const names = order.slice(0, cut).map((index) => this.nodes[index].name);
    this.say(`${JSON.stringify(change)} ${both ? "between" : "from"} ${names.join(" ")} and the others for ${ms} ms`);
    this.#setAll(pairs, change, both);
    await this.#for(ms);
    this.#setAll(pairs, ends, both);
  }

  #setAll(pairs, change, both) {
    for (const [from, to] of pairs) {
      this.proxy.set(from, to, change);
      if (both) this.proxy.set(to, from, change);
    }
  }

  /** Delay, loss and the like on all ways to and from one node. */
  async #disturb(change) {
    const one = this.#some();
    const ms = this.rng.pick([2_000, 10_000, 20_000]);
    this.say(`${JSON.stringify(change)} around ${this.nodes[one].name} for ${ms} ms`);
    const pairs = this.nodes.flatMap((_, other) => (other === one ? [] : [[one, other]]));
    this.#setAll(pairs, change, true);
    await this.#for(ms);
    this.#setAll(pairs, noise, true);
  }

  async #clock() {
    const node = this.nodes[this.#some()];
    node.clockOffsetMs = this.rng.pick([-3_600_000, -60_000, 60_000, 3_600_000]);
    this.say(`${node.name} starts again with its clock ${node.clockOffsetMs} ms off`);
    await node.kill();
    node.start();
  }

  async #onDisk(act) {
    if (this.#isDiskBusy) return;
    this.#isDiskBusy = true;
    try {
      await act();
    } finally {
      this.#isDiskBusy = false;
    }
  }

  async #diskFull() {
    const ms = this.rng.between(2_000, 8_000);
    this.say(`the disk of ${this.nodes[this.victim].name} is full for ${ms} ms`);
    const free = fillDisk(this.directories[this.victim]);
    await this.#for(ms);
    free();
    this.nodes[this.victim].start();
  }

  /** The node refuses to start on what it finds damaged, or starts and repairs it; in the first case its bytes come back. */
  async #corruption() {
    const node = this.nodes[this.victim];
    await node.kill();
    const damage = corrupt(this.rng, this.directories[this.victim]);
    this.say(`${node.name}: ${damage.text}`);
    node.start();
    if (await node.ready(20_000)) return;
    this.say(`${node.name} refuses: ${node.lastWords.at(-1) ?? "it is silent"}`);
    await node.kill();
    damage.undo();
    node.start();
  }
}
