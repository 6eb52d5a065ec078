/** The long form of the rolling restart, and a lost node that another one replaces, under load (issue 3). */
import { afterAll, it } from "vitest";
import { comeBackEmpty, damageBeyondRepair, loseAndReplace, rollingRestart } from "../support/cluster-stories.ts";
import { cleanUp } from "../support/e2e.ts";

afterAll(cleanUp);

const boundMs = 600_000;

// Below what a busy machine refuses: admission is another test's business.
it(
  "three rolling restarts in a row: no operation fails",
  () => rollingRestart(3, { writers: 32, pauseMs: 50 }),
  boundMs,
);

it(
  "a lost node is replaced by another one: nothing acknowledged is lost",
  () =>
    loseAndReplace(async (cluster) => {
      const newcomer = cluster.launch("n4");
      await cluster.run("cluster", "replace", "n2", "n4");
      return newcomer;
    }),
  boundMs,
);

it(
  "a node whose store is damaged beyond repair is replaced: nothing acknowledged is lost",
  () => loseAndReplace(comeBackEmpty, damageBeyondRepair),
  boundMs,
);
