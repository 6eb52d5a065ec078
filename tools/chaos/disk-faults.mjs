// Faults of a node's disk: a small tmpfs that is filled up, and bits flipped in files while the node is down.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const filler = "filler";

/** Mounts a tmpfs of so many MiB there; false where that is not permitted. */
export function mountSmallDisk(directory, mebibytes) {
  mkdirSync(directory, { recursive: true });
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "ringtail-chaos", directory]).status === 0;
}

export function unmount(directory) {
  spawnSync("umount", ["-l", directory]);
}

/** Fills the file system that a directory is on; returns how to free it again. Only for a small disk of its own. */
export function fillDisk(directory) {
  const path = join(directory, "..", filler);
  const file = openSync(path, "w");
  try {
    for (let block = 1 << 20; block >= 512; ) {
      try {
        writeSync(file, Buffer.alloc(block));
      } catch (error) {
        if (error.code !== "ENOSPC") throw error;
        block >>= 1;
      }
    }
  } finally {
    closeSync(file);
  }
  return () => rmSync(path, { force: true });
}

/** Flips a few bits in one file of a node that is down: a table of the engine, or a segment of the log. */
export function corrupt(rng, directory) {
  const files = readdirSync(directory, { recursive: true })
    .map((name) => join(directory, name))
    .filter((path) => /\.(sst|log)$/.test(path) || /[\\/]log[\\/]/.test(path))
    .filter((path) => statSync(path).isFile() && statSync(path).size > 0)
    .sort();
  if (files.length === 0) return { text: "no file to damage", undo: () => {} };
  const path = rng.pick(files);
  const before = readFileSync(path);
  const after = Buffer.from(before);
  const flips = rng.between(1, 8);
  for (let i = 0; i < flips; i += 1) after[rng.below(after.length)] ^= 1 << rng.below(8);
  writeFileSync(path, after);
  return { text: `${flips} bits flipped in ${path}`, undo: () => writeFileSync(path, before) };
}
