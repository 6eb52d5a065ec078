/**
 * A node is killed and its disk is gone, or damaged beyond repair; it comes back to its address, under its name and
 * another id, and replaces its dead predecessor under load (issue 3; mechanisms.md 3.13). No acknowledged write is lost,
 * and no get misses one.
 */
import { afterAll, it } from "vitest";
import { damageBeyondRepair, loseAndReplace } from "../support/cluster-stories.ts";
import { cleanUp } from "../support/e2e.ts";
import type { ServeCluster, ServeNode } from "../support/serve-cluster.ts";

afterAll(cleanUp);

async function comeBack(cluster: ServeCluster): Promise<ServeNode> {
  const newcomer = cluster.launch("n2");
  await cluster.run("cluster", "replace", "n2");
  return newcomer;
}

it("a node comes back with an empty disk and replaces itself: nothing acknowledged is lost", () =>
  loseAndReplace(comeBack));

it("so does one whose store was damaged beyond repair", () => loseAndReplace(comeBack, damageBeyondRepair));
