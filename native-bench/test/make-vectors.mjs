// Writes test/vectors/native.json: what the TypeScript sources say about random numbers, keys, arrivals, rings and
// histograms, for the self-test to hold the C++ ones to. Run after `npm run build` when one of these changes on purpose:
//
//   node native-bench/test/make-vectors.mjs [directory of the built project]
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { inflateSync } from "node:zlib";
import { build, encodeIntoCompressedBase64 } from "hdr-histogram-js";

const dist =
  process.argv[2] === undefined ? new URL("../../dist/", import.meta.url) : pathToFileURL(`${process.argv[2]}/`);
const load = (path) => import(new URL(path, dist));
const { Rng } = await load("base/rng.js");
const { Hash64, hashKey } = await load("base/hash.js");
const { fullKeyOf } = await load("base/full-key.js");
const { KeySpace } = await load("lab/key-space.js");
const { keyChoice, fraction } = await load("lab/key-choice.js");
const { Arrivals } = await load("lab/arrivals.js");
const { Ring } = await load("ring/ring.js");
const { encodeRing } = await load("wire/ring-codec.js");

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const times = (count, make) => Array.from({ length: count }, (_, i) => make(i));

function randomNumbers() {
  return [0, 1, 4_294_967_295].map((seed) => {
    const rng = new Rng(seed);
    const words = times(4, () => rng.u32());
    const below = [1, 7, 100, 3_000_000_000, 4_294_967_296].map((limit) => ({ limit, value: rng.below(limit) }));
    const fractions = times(3, () => fraction(rng));
    const fork = times(
      2,
      (
        (forked) => () =>
          forked.u32()
      )(rng.fork("values")),
    );
    return { seed, words, below, fractions, fork };
  });
}

function keySpaces() {
  const shapes = [
    [1, 16],
    [10, 1],
    [1000, 3],
    [1001, 4],
    [100_000, 16],
  ];
  return shapes.map(([count, keyBytes]) => {
    const space = new KeySpace({ count, keyBytes, valueBytes: 5, rng: new Rng(1).fork("values") });
    const indexes = [0, count >> 1, count - 1];
    const keys = indexes.map((index) => {
      const hash = new Hash64();
      hashKey(fullKeyOf(Buffer.from("bench"), space.key(index)), hash);
      return { index, key: Buffer.from(space.key(index)).toString(), hashHigh: hash.high };
    });
    return { count, keyBytes, keys, values: [0, 1, 17].map((i) => ({ number: i, value: hex(space.value(i)) })) };
  });
}

function keyChoices() {
  const list = [];
  for (const distribution of ["uniform", "zipfian"]) {
    for (const keys of [1, 2, 3, 1000, 100_000]) {
      const choice = keyChoice(distribution, new Rng(7).fork("keys"), keys);
      list.push({ distribution, keys, drawn: times(64, () => choice.next()) });
    }
  }
  return list;
}

function arrivals() {
  return ["poisson", "constant"].map((kind) => {
    const schedule = new Arrivals(kind, 3000, new Rng(1).fork("arrivals"), 1_000_000);
    const at = times(32, () => {
      const { next } = schedule;
      schedule.advance();
      return next;
    });
    return { kind, at };
  });
}

/** A random owner table over the first `owning` nodes. */
function ringOf({ nodes, hosts, zones, partitions, n, owning = nodes }) {
  const rng = new Rng(nodes * 1000 + hosts * 100 + zones * 10 + partitions);
  const members = times(nodes, (i) => ({
    number: i + 1,
    id: (i + 1).toString(16).padStart(32, "0"),
    name: `node-${i + 1}`,
    address: `127.0.0.1:${7401 + i}`,
    host: `host-${i % hosts}`,
    zone: zones === 1 ? "" : `zone-${(i % hosts) % zones}`,
    weight: 1,
    status: "member",
  }));
  const policy = { n, r: 1, w: 1, durability: 2, version: 1 };
  return new Ring({
    clusterId: "c0ffee00c0ffee00c0ffee00c0ffee00",
    epoch: 7,
    partitions,
    replicasMax: 7,
    members,
    owners: Uint16Array.from(times(partitions, () => 1 + rng.below(owning))),
    buckets: [
      { name: "", ...policy },
      { name: "other", ...policy, n: 1 },
    ],
  });
}

function rings() {
  const shapes = [
    { nodes: 3, hosts: 3, zones: 1, partitions: 64, n: 3 },
    { nodes: 5, hosts: 5, zones: 2, partitions: 32, n: 3 },
    { nodes: 12, hosts: 7, zones: 3, partitions: 16, n: 2 },
    { nodes: 40, hosts: 20, zones: 4, partitions: 128, n: 5 },
    { nodes: 9, hosts: 9, zones: 5, partitions: 32, n: 3, owning: 6 },
  ];
  return shapes.map((shape) => {
    const ring = ringOf(shape);
    const lists = times(ring.partitions, (p) => [...ring.preferenceList(p, shape.n)]);
    const hashes = [0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    return {
      n: shape.n,
      ring: hex(encodeRing(ring)),
      partitionOf: hashes.map((high) => ({ high, partition: ring.partitionOf(high) })),
      lists,
    };
  });
}

function histograms() {
  const rng = new Rng(99);
  const sets = [
    [1],
    [1, 2, 3, 2047, 2048, 2049, 4095, 4096, 60_000_000],
    times(2000, () => 1 + rng.below(1 << (1 + rng.below(25)))),
  ];
  return sets.map((values) => {
    const histogram = build({
      bitBucketSize: 32,
      autoResize: false,
      lowestDiscernibleValue: 1,
      highestTrackableValue: 60_000_000,
      numberOfSignificantValueDigits: 3,
      useWebAssembly: false,
    });
    for (const value of values) histogram.recordValue(value);
    const percentiles = [0, 1, 50, 90, 99, 99.9, 99.99, 100].map((percentile) => ({
      percentile,
      value: histogram.getValueAtPercentile(percentile),
    }));
    const encoded = inflateSync(Buffer.from(encodeIntoCompressedBase64(histogram), "base64").subarray(8));
    // The head differs in fields that no reader uses; what is counted is behind it.
    return { values, max: histogram.maxValue, percentiles, counts: hex(encoded.subarray(40)) };
  });
}

const vectors = {
  randomNumbers: randomNumbers(),
  keySpaces: keySpaces(),
  keyChoices: keyChoices(),
  arrivals: arrivals(),
  rings: rings(),
  histograms: histograms(),
};
writeFileSync(new URL("vectors/native.json", import.meta.url), `${JSON.stringify(vectors)}\n`);
