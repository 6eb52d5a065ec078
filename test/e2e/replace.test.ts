/**
 * A node is killed and its disk is gone; it comes back to its address, under its name and another id, and replaces its dead
 * predecessor under load (issue 3). No acknowledged write is lost, and no get misses one. The same of a disk that is
 * damaged beyond repair: test/long/restarts.test.ts.
 */
import { afterAll, it } from "vitest";
import { comeBackEmpty, loseAndReplace } from "../support/cluster-stories.ts";
import { cleanUp } from "../support/e2e.ts";

afterAll(cleanUp);

it("a node comes back with an empty disk and replaces itself: nothing acknowledged is lost", () =>
  loseAndReplace(comeBackEmpty));
