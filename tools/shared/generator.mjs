// The load of a tail run: the native generator where it is built, since it has no garbage collector of its own, else
// `ringtail bench`; both take the same flags and write the same HDR log.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { program, runForJson } from "../bench-support.mjs";
import { root } from "../prepare.mjs";

const native = [
  join(root, "native-bench/build/ringtail-native-bench"),
  join(root, "native-bench/build/ready/ringtail-native-bench"),
];

/** The generator meant by `asked`: "native", "node", or undefined for the better one. */
export function generatorOf(asked) {
  const built = native.find((path) => existsSync(path));
  if (asked !== undefined && asked !== "native" && asked !== "node")
    throw new Error(`--generator is ${asked}; allowed: native or node`);
  if (asked === "native" && built === undefined)
    throw new Error("the native generator is not built: npm run native-bench -- --build-only");
  return asked === "node" || built === undefined
    ? { kind: "node", command: process.execPath, args: [program, "bench"] }
    : { kind: "native", command: built, args: ["--priority", "high"] };
}

function flagsOf({ keys, rate }, addresses) {
  const seedNodes = addresses.flatMap((address) => ["--seed-node", address]);
  return [...seedNodes, "--workload", "a", "--keys", keys, "--value-bytes", 1024, "--rate", rate].map(String);
}

/** Puts the keys. */
export function loadKeys(generator, asked, addresses) {
  const args = [
    ...generator.args,
    ...flagsOf(asked, addresses),
    "--load",
    "always",
    "--duration",
    "1",
    "--warm-up",
    "0",
  ];
  return runForJson(generator.command, args);
}

/** The measured load, to its end: its result. */
export function measure(generator, asked, seconds, addresses, log) {
  const times = ["--load", "never", "--warm-up", String(asked.warmUp), "--duration", String(seconds), "--hlog", log];
  return runForJson(generator.command, [...generator.args, ...flagsOf(asked, addresses), ...times]);
}
