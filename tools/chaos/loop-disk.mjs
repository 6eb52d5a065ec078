// A disk that can lose its power: an ext4 file system of its own in an image behind a loop device. Pages that nobody has
// synced are in the memory of the mounted file system and not in the image, so a copy of the image is what a power cut
// leaves; mounting it replays the journal, as a machine does that starts again. Needs root and loop devices.
import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** In `/sys/block/loopN/stat`: operations that have begun and not ended. */
const inFlightField = 8;
const copiesMax = 1_000;

function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout.trim();
}

export class LoopDisk {
  /** Copies that were thrown away because the system wrote meanwhile. */
  discarded = 0;
  #generation = 0;
  #device = "";

  /** `path`: where it is mounted. Makes the image and mounts it. */
  constructor(path, mebibytes) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    const file = openSync(this.#image, "w");
    ftruncateSync(file, mebibytes << 20);
    closeSync(file);
    run("mkfs.ext4", "-q", "-F", this.#image);
    this.#mount();
  }

  get #image() {
    return `${this.path}.${this.#generation}.img`;
  }

  #mount() {
    this.#device = run("losetup", "--find", "--show", this.#image);
    run("mount", "-t", "ext4", this.#device, this.path);
  }

  #unmount() {
    run("umount", this.path);
    run("losetup", "--detach", this.#device);
    this.#device = "";
    rmSync(this.#image);
  }

  #stat() {
    const line = readFileSync(join("/sys/block", basename(this.#device), "stat"), "utf8").trim();
    return { line, busy: line.split(/\s+/)[inFlightField] !== "0" };
  }

  /**
   * Takes the image as it is at one instant; whoever writes here must stand still. The system goes on writing back by
   * itself: a copy that it wrote into could mix two instants, which no power cut does, and is taken again.
   */
  async freeze() {
    const copy = `${this.path}.${this.#generation + 1}.img`;
    for (let i = 0; i < copiesMax; i += 1) {
      const before = this.#stat();
      if (!before.busy) {
        run("cp", "--sparse=always", this.#image, copy);
        if (this.#stat().line === before.line) return;
        this.discarded += 1;
      }
      await sleep(5);
    }
    throw new Error(`the system never stops writing to ${this.path}`);
  }

  /** The power is back, with what was frozen; whoever wrote here is dead. */
  thaw() {
    this.#unmount();
    this.#generation += 1;
    this.#mount();
  }

  /** Gives everything back. */
  close() {
    if (this.#device !== "") this.#unmount();
  }
}
