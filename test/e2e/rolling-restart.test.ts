/**
 * A rolling restart of all nodes under load (issue 3): each is stopped by SIGTERM and started again, one after the other.
 * With N=3, R=W=2 no operation of the SDK fails, no get misses a write, and no acknowledged write is lost.
 */
import { afterAll, it } from "vitest";
import { rollingRestart } from "../support/cluster-stories.ts";
import { cleanUp } from "../support/e2e.ts";

afterAll(cleanUp);

it("all nodes are restarted under load: no operation fails", () => rollingRestart(1, { writers: 16 }));
