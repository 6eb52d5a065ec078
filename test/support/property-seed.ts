/**
 * One seed for all property tests, so that what passed once passes again: a change is judged by the same inputs
 * everywhere. `PROPERTY_SEED=random` (or a number) draws others; a failure names the seed that it was found with.
 */
import fc from "fast-check";

const asked = process.env.PROPERTY_SEED ?? "20261122";
if (!/^(random|[0-9]{1,9})$/.test(asked)) {
  throw new Error(`PROPERTY_SEED must be "random" or a number of at most nine digits, not "${asked}"`);
}
if (asked !== "random") fc.configureGlobal({ seed: Number(asked) });
