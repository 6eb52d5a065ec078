/**
 * Fuzzers, in their short form: so many inputs of each target, all drawn from one seed. The long form is a command,
 * `npm run fuzz -- --seed N --inputs M --seconds S`, which sets the variables read here.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enableCanaries } from "../src/base/canary.ts";
import { Rng } from "../src/base/rng.ts";
import { mutated } from "./fuzz/mutate.ts";
import { targets } from "./fuzz/targets.ts";

const seed = Number(process.env["RINGTAIL_FUZZ_SEED"] ?? 1);
const inputs = Number(process.env["RINGTAIL_FUZZ_INPUTS"] ?? 2000);
const seconds = Number(process.env["RINGTAIL_FUZZ_SECONDS"] ?? 5);

const { stackTraceLimit } = Error;
// Stacks are most of a refusal's price.
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

it("a context of anybody's making is taken when its tag is not looked at", () => {
  enableCanaries(["accept-any-tag"]);
  const contexts = targets.find(({ name }) => name === "contexts") as (typeof targets)[number];
  const forged = contexts.corpus.filter((bytes) => bytes.length > 16);
  expect(() => {
    for (const bytes of forged) contexts.take(bytes, new Rng(1));
  }).toThrow("nobody has sealed");
  enableCanaries([]);
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe(`seed ${seed}`, () => {
  for (const target of targets) {
    it(
      `${target.name}: bad input is refused, and nothing else happens`,
      () => {
        const until = Date.now() + 1000 * seconds;
        let taken = 0;
        for (; taken < inputs && (taken % 256 !== 0 || Date.now() < until); taken += 1) {
          const rng = new Rng(seed).fork(`${target.name}/${taken}`);
          const bytes = mutated(rng, rng.pick(target.corpus), rng.pick(target.corpus));
          try {
            target.take(bytes.slice(), rng);
          } catch (error) {
            expect.unreachable(
              `input ${taken}, ${hex(bytes)}: ${error instanceof Error ? error.stack : String(error)}`,
            );
          }
        }
        console.log(`${target.name}: ${taken} inputs`);
        expect(taken).toBeGreaterThan(0);
      },
      2000 * seconds + 20_000,
    );
  }
});
