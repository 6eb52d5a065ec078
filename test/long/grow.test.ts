/** A cluster that grows from 3 to 5 nodes and shrinks to 4 under load, by the commands of `ringtail cluster` (issue 3). */
import { afterAll, it } from "vitest";
import { growAndShrink } from "../support/cluster-stories.ts";
import { cleanUp } from "../support/e2e.ts";

afterAll(cleanUp);

it("3 -> 5 -> 4 nodes: no operation fails, and nothing acknowledged is lost", growAndShrink, 600_000);
