/** RingKeeper, the side that asks: which seed node is dialled after one that could not help. */
import { expect, test } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { defaultConfig } from "../../../src/node/config.ts";
import { RingKeeper } from "../../../src/node/ring-keeper.ts";
import type { NodeState } from "../../../src/node/state.ts";
import type { Link, LinkEvents } from "../../../src/wire/link.ts";
