// The cluster of a tail run: `ringtail serve` processes that are started, killed and joined as an operator would, and
// what they say of themselves, asked without a process of its own so that asking costs next to nothing.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ringAt } from "../../dist/cli/cluster-view.js";
import { askEvery } from "../../dist/cli/every-node.js";
import { hintQuestion } from "../../dist/cli/hints.js";
import { makeSecret } from "../../dist/io/secret.js";
import { isMoving } from "../../dist/ring/plan.js";
import { StatusReply, StatusRequest, TransferStatusReply, TransferStatusRequest } from "../../dist/wire/codec.js";
import { FrameType } from "../../dist/wire/frame-types.js";
import { program, runForJson } from "../bench-support.mjs";
import { NodeProcess } from "../chaos/node-process.mjs";

const timeoutMs = 2_000;
const statusQuestion = { type: FrameType.STATUS, codec: StatusRequest, message: {}, reply: StatusReply };
const transferQuestion = {
  type: FrameType.TRANSFER_STATUS,
  codec: TransferStatusRequest,
  message: { epoch: 0 },
  reply: TransferStatusReply,
};

export class TailCluster {
  nodes = [];
  #asked;
  #secret;

  constructor(asked) {
    this.#asked = asked;
    this.#secret = join(asked.directory, "cluster.secret");
    makeSecret(this.#secret);
  }

  /** The first nodes, until all serve. */
  async start() {
    const { nodes } = this.#asked;
    for (let i = 1; i <= nodes; i += 1) this.launch(i === 1 ? ["--bootstrap", "--expect", String(nodes)] : []);
    for (const node of this.nodes)
      if (!(await node.ready())) throw new Error(`${node.name} did not start: ${node.lastWords}`);
  }

  /** One more node. */
  launch(place = []) {
    const { directory, basePort, durability, partitions, unbounded, serveFlags } = this.#asked;
    const name = `n${this.nodes.length + 1}`;
    const address = `127.0.0.1:${basePort + this.nodes.length}`;
    const settings = {
      name,
      listen: address,
      directory: join(directory, name),
      "secret-file": this.#secret,
      durability,
    };
    const flags = Object.entries({ ...settings, partitions }).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const seedNodes = this.nodes.flatMap((node) => ["--seed-node", node.address]);
    const log = join(directory, `${name}.log`);
    const node = new NodeProcess({ name, settings: [...flags, ...seedNodes, ...serveFlags], address, log });
    if (unbounded) node.settings.push("--background-unbounded");
    this.nodes.push(node);
    node.start(place);
    return node;
  }

  get addresses() {
    return this.nodes.filter(({ isRunning }) => isRunning).map(({ address }) => address);
  }

  get #seedNodes() {
    return this.addresses.flatMap((address) => ["--seed-node", address]);
  }

  /** A command of `ringtail`, and what it printed as JSON. */
  run(...words) {
    return runForJson(process.execPath, [program, ...words, ...this.#seedNodes]);
  }

  /** A command of `ringtail`, and its text. */
  text(...words) {
    return new Promise((resolve, reject) => {
      const stdio = ["ignore", "pipe", "inherit"];
      const child = spawn(process.execPath, [program, ...words, ...this.#seedNodes], { stdio });
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (part) => {
        said += part;
      });
      child.once("error", reject);
      child.once("close", () => resolve(said));
    });
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
    const answers = await askEvery(await this.ring(), timeoutMs, statusQuestion);
    return answers.flatMap(({ member, reply }) => {
      const counters = Object.fromEntries((reply?.counters ?? []).map(({ name, value }) => [name, value]));
      return reply === undefined ? [] : [{ node: member.name, counters }];
    });
  }

  async stop() {
    for (const node of this.nodes) await node.kill("SIGKILL");
  }
}
