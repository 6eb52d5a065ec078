// A cluster of `ringtail serve` processes that are started, killed and joined as an operator would, and what they say of
// themselves, asked without a process of its own so that asking costs next to nothing.
import { join } from "node:path";
import { ringAt } from "../../dist/cli/cluster-view.js";
import { askEvery } from "../../dist/cli/every-node.js";
import { hintQuestion, statusQuestion, transferQuestion } from "../../dist/cli/questions.js";
import { isMoving } from "../../dist/ring/plan.js";
import { NodeProcess } from "./node-process.mjs";
import { flagsOf, program, ringtail, runForText, seedNodes } from "./processes.mjs";
import { secretIn, untilAllServe } from "./served-nodes.mjs";

const timeoutMs = 2_000;
export class ServedCluster {
  nodes = [];
  #options;
  #secret;

  /** `nodes`: how many there are at first; `flags`: more of `ringtail serve`. */
  constructor(options) {
    this.#options = options;
    this.#secret = secretIn(options.directory);
  }

  /** The first nodes, until all serve. */
  async start() {
    const { nodes } = this.#options;
    for (let i = 1; i <= nodes; i += 1) this.launch(i === 1 ? ["--bootstrap", "--expect", String(nodes)] : []);
    await untilAllServe(this.nodes);
  }

  /** One more node. */
  launch(place = []) {
    const { directory, basePort, durability, partitions, flags = [] } = this.#options;
    const name = `n${this.nodes.length + 1}`;
    const address = `127.0.0.1:${basePort + this.nodes.length}`;
    const own = flagsOf({
      ...{ name, listen: address, directory: join(directory, name), "secret-file": this.#secret },
      ...{ durability, partitions },
    });
    const settings = [...own, ...seedNodes(this.nodes.map((node) => node.address)), ...flags];
    const node = new NodeProcess({ name, settings, address, log: join(directory, `${name}.log`) });
    this.nodes.push(node);
    node.start(place);
    return node;
  }

  get addresses() {
    return this.nodes.filter(({ isRunning }) => isRunning).map(({ address }) => address);
  }

  /** A command of `ringtail`, and what it printed as JSON. */
  run(...words) {
    return ringtail(this.addresses, ...words);
  }

  /** A command of `ringtail`, and its text. */
  text(...words) {
    return runForText(process.execPath, [program, ...words, ...seedNodes(this.addresses)]);
  }

  ring() {
    return ringAt(this.addresses[0], timeoutMs);
  }

  async isMoving() {
    return isMoving(await this.ring());
  }

  async #rows(question) {
    const answers = await askEvery(await this.ring(), timeoutMs, question);
    return answers.flatMap(({ reply }) => reply?.rows ?? []);
  }

  /** Transfers that any node still has something to do for, the clean-up of old copies included. */
  async transfers() {
    return (await this.#rows(transferQuestion)).length;
  }

  /** Records kept for others. */
  async hints() {
    return (await this.#rows(hintQuestion)).reduce((sum, { count }) => sum + count, 0);
  }

  /** By node: its counters by name; a silent one is left out. */
  async counters() {
    const answers = await askEvery(await this.ring(), timeoutMs, statusQuestion());
    return answers.flatMap(({ member, reply }) => {
      const counters = Object.fromEntries((reply?.counters ?? []).map(({ name, value }) => [name, value]));
      return reply === undefined ? [] : [{ node: member.name, counters }];
    });
  }

  async stop() {
    for (const node of this.nodes) await node.kill("SIGKILL");
  }
}
