// From CPU profiles to stages: where in the work on a request a sample was taken, and for whom. A sample's stage is that of
// the innermost of its frames that has one, so helpers count for whom they help; its side is told by what the work began
// with: a client's request or a peer's answer (coordinator), a peer's request (replica), or neither (both).

/** The stages in the order in which a request meets them: what they are called in tables. */
export const stages = {
  outside: "outside of JS: libuv, reading from sockets, epoll",
  read: "chunks into frames, sessions",
  decode: "decoding",
  admission: "gate, admission, line",
  coordinate: "coordination, routing",
  fanOut: "encoding for replicas",
  replica: "replica",
  version: "records: open, merge, seal",
  context: "contexts: open, seal",
  checksum: "checksums",
  hash: "key hashes, causal hashes, trees",
  store: "object buffer, write-back",
  log: "log append, with its system call",
  engine: "engine batches, calls into RocksDB",
  reply: "encoding answers",
  watch: "phases and figures (why, top)",
  write: "socket writes, with their system call",
  turn: "turn ends, timers, settling of parts",
  background: "trees, repair, transfers, gossip",
  gc: "garbage collection",
  other: "other",
};

const stageOfFile = {
  "(garbage collector)": "gc",
  "(program)": "outside",
  "wire/codec.js#decode": "decode",
  "wire/frame.js": "read",
  "wire/frame-writer.js#flush": "write",
  "io/direct-write.js": "write",
  "io/tcp.js#write": "write",
  "io/tcp.js": "read",
  "io/read-buffer.js": "read",
  "io/log-files.js": "log",
  "io/rocks-store.js": "engine",
  "io/udp.js": "background",
  "io/turn.js": "turn",
  "io/run-node.js": "turn",
  "io/environment.js": "turn",
  "io/loop-watch.js": "watch",
  "storage/log-tail.js": "log",
  "storage/log-retirement.js": "log",
  "storage/log-cut.js": "log",
  "storage/group-commit.js": "engine",
  "storage/leaves.js": "hash",
  storage: "store",
  "base/crc32c.js": "checksum",
  "base/hash.js#hashKey": "hash",
  "version/context.js": "context",
  "version/sealed-causal-hash.js": "hash",
  "version/sibling-set.js#causalHash": "hash",
  version: "version",
  replica: "replica",
  coordinator: "coordinate",
  metrics: "watch",
  handoff: "background",
  repair: "background",
  membership: "background",
  ring: "coordinate",
  "node/session.js#answer": "reply",
  "node/session.js#fail": "reply",
  "node/session.js#failReady": "reply",
  "node/session.js": "read",
  "node/peers.js#send": "fanOut",
  "node/peers.js#tick": "turn",
  "node/peers.js#nextTick": "turn",
  "node/peers.js": "read",
  "node/gate.js": "admission",
  "node/client-service.js": "admission",
  "node/client-requests.js": "admission",
  "node/reception.js": "admission",
  "node/inbox.js": "admission",
  "node/asker.js": "admission",
  "node/flights.js": "admission",
  "node/admission.js": "admission",
  "node/epoch-gate.js": "admission",
  "node/request.js": "admission",
  "node/coordination.js": "coordinate",
  "node/coordination-replies.js": "coordinate",
  "node/forwarding.js": "coordinate",
  "node/routing.js": "coordinate",
  "node/targets.js": "coordinate",
  "node/route-health.js": "coordinate",
  "node/second-attempts.js": "coordinate",
  "node/read-hedging.js": "coordinate",
  "node/peer-service.js": "replica",
  "node/own-replica.js": "replica",
  "node/local-records.js": "replica",
  "node/op-watch.js": "watch",
  "node/slot-times.js": "watch",
  node: "turn",
  "node:internal/stream_base_commons#onStreamRead": "read",
  "node:internal/stream_base_commons": "write",
  "node:internal/streams/writable": "write",
  "node:internal/streams/readable": "read",
  "node:internal/timers": "turn",
  "node:timers": "turn",
};

const sideOfFile = {
  "node/client-service.js": "coordinator",
  "node/coordination-replies.js": "coordinator",
  "node/reception.js": "coordinator",
  "node/forwarding.js": "coordinator",
  "node/data-path.js#onReply": "coordinator",
  "node/coordination.js#settle": "coordinator",
  coordinator: "coordinator",
  "node/peers.js#onBytes": "coordinator",
  "node/peer-service.js": "replica",
};

/** A frame as a file below dist/ (or what V8 calls it, where there is none) and a function. */
function frameOf({ url, functionName }) {
  const below = url.split("/dist/")[1];
  const file = below ?? (url === "" ? functionName : url);
  return { file, place: `${file}#${functionName}`, folder: file.split("/")[0], isOurs: below !== undefined };
}

function ruleOf(rules, { place, file, folder }) {
  return rules[place] ?? rules[file] ?? rules[folder];
}

function firstOf(rules, frames) {
  for (const frame of frames) {
    const found = ruleOf(rules, frame);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The stage and side of a stack of frames, the innermost first, and the function of ours that was at work. */
function workOf(frames) {
  const stage = firstOf(stageOfFile, frames) ?? "other";
  const side = firstOf(sideOfFile, [...frames].reverse()) ?? "both";
  const own = frames.find(({ isOurs }) => isOurs) ?? frames[0];
  return { stage, side, place: own.isOurs ? own.place : own.file };
}

/**
 * What a CPU profile (as V8 writes it) says: how many of its samples were idle, how many were not, and of the latter how
 * many belong to each stage and side, and to each function of ours with the built-in and native ones that it called.
 */
export function attribute({ nodes, samples }) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, frameOf(callFrame)]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const result = { idle: 0, busy: 0, stages: emptyStages(), functions: {} };
  const works = new Map();
  for (const id of samples) {
    if (frames.get(id).file === "(idle)") {
      result.idle += 1;
      continue;
    }
    if (!works.has(id)) works.set(id, workOf(stackOf(id, frames, parents)));
    const { stage, side, place } = works.get(id);
    result.stages[stage][side] += 1;
    result.functions[place] = (result.functions[place] ?? 0) + 1;
    result.busy += 1;
  }
  return result;
}

function stackOf(leaf, frames, parents) {
  const stack = [];
  for (let id = leaf; id !== undefined; id = parents.get(id)) stack.push(frames.get(id));
  return stack;
}

/** Every stage with nothing on any side. */
export function emptyStages() {
  return Object.fromEntries(Object.keys(stages).map((stage) => [stage, { coordinator: 0, replica: 0, both: 0 }]));
}

/** Adds what another says, so many times, to stages. */
export function addStages(sum, stagesOfOne, times) {
  for (const [stage, sides] of Object.entries(stagesOfOne)) {
    for (const [side, value] of Object.entries(sides)) sum[stage][side] += value * times;
  }
}
