// The load of a run: the native generator where it is built, since it has no garbage collector of its own, else `ringtail
// bench`; both take the same flags and write the same HDR log.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../prepare.mjs";
import { flagsOf, program, runForJson, seedNodes } from "./processes.mjs";

const native = [
  join(root, "native-bench/build/ringtail-native-bench"),
  join(root, "native-bench/build/ready/ringtail-native-bench"),
];

/** It shares the CPUs with the nodes, and would be late by what it waits for one. */
const priority = ["--priority", "high"];

/** The generator meant by `asked`: "native", "node", or undefined for the better one. */
export function generatorOf(asked) {
  const built = native.find((path) => existsSync(path));
  if (asked !== undefined && asked !== "native" && asked !== "node")
    throw new Error(`--generator is ${asked}; allowed: native or node`);
  if (asked === "native" && built === undefined)
    throw new Error("the native generator is not built: npm run native-bench -- --build-only");
  return asked === "node" || built === undefined
    ? { kind: "node", command: process.execPath, args: [program, "bench", ...priority] }
    : { kind: "native", command: built, args: priority };
}

/** A run of the generator, half gets, half puts of 1 KiB, to its end: its result. `options` are its flags, by name. */
export function generate({ command, args }, addresses, options) {
  const flags = flagsOf({ workload: "a", "value-bytes": 1024, ...options });
  return runForJson(command, [...args, ...seedNodes(addresses), ...flags]);
}

/** Puts the keys that the options name. */
export function loadKeys(generator, addresses, options) {
  return generate(generator, addresses, { ...options, load: "always", duration: 1, "warm-up": 0 });
}
