/** RingKeeper: which seed node is dialled after one that could not help, and who may help nobody. */
import { expect, test } from "vitest";
import { after, instant } from "../../../src/base/time.ts";
import { configOf } from "../../../src/node/config.ts";
import { RingKeeper } from "../../../src/node/ring-keeper.ts";
import type { Session } from "../../../src/node/session.ts";
import type { NodeState } from "../../../src/node/state.ts";
import { Frame } from "../../../src/wire/frame.ts";
import type { Hello } from "../../../src/wire/gen/codecs.ts";

test("after one that refused a connection and one that has no ring, the next is asked", () => {
  const dialled: string[] = [];
  const link = { label: "", write: () => true, pauseReading() {}, resumeReading() {}, close() {}, destroy() {} };
  const shared = {
    config: configOf({ seedNodes: ["127.0.0.1:1", "127.0.0.1:2"] }),
    nodeId: "0".repeat(32),
    env: {
      transport: {
        connect: (address: string) => {
          dialled.push(address);
          return link;
        },
      },
    },
  } as unknown as NodeState;
  const hello = { versionMin: 1, versionMax: 1 } as Hello;
  const keeper = new RingKeeper(shared, { onFirstRing() {}, describe: () => hello, settle() {} });
  let now = instant(0);
  keeper.start(now);
  for (let i = 0; i < 6; i += 1) {
    keeper.tick(now);
    if (dialled.at(-1) === "127.0.0.1:2") keeper.onOpen();
    keeper.onClosed(now);
    now = after(now, 1_000_000);
  }
  expect(dialled.map((address) => address.at(-1))).toEqual(["1", "2", "1", "2", "1", "2"]);
});

test("a node that must not serve any more tells nobody to wait: it would never hear of the ring that is waited for", () => {
  const shared = {
    config: configOf({}),
    fencedBy: "this node has left the cluster",
    ringOrNone: {},
  } as unknown as NodeState;
  const keeper = new RingKeeper(shared, { onFirstRing() {}, describe: () => ({}) as Hello, settle() {} });
  const report = (): void => keeper.onReport(instant(0), {} as Session, new Frame());
  expect(report).toThrow("this node has left the cluster");
});
