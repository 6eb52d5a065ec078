/**
 * The program of one generator among several (`processes.ts`): does what it is ordered to, one order at a time, and ends
 * when its parent does.
 */
import { RingtailError } from "../base/errors.ts";
import { openGenerator } from "./bench.ts";
import type { LocalGenerator } from "./generator.ts";
import type { Order, Told } from "./processes.ts";
import { packRecording } from "./recording.ts";

const keysPerWord = 500;

let generator: LocalGenerator | undefined;
let keys = 0;

function tell(told: Told): void {
  process.send?.(told);
}

const events = {
  onLoading: (count: number): void => tell({ kind: "loading", count }),
  onKeys: (count: number): void => {
    keys += count;
    if (keys < keysPerWord) return;
    tell({ kind: "keys", count: keys });
    keys = 0;
  },
  onLoaded: (): void => {},
  onRunning: (count: number): void => tell({ kind: "running", count }),
  onSecond: (): void => tell({ kind: "second" }),
  onRunEnded: (): void => {},
};

async function obey(order: Order): Promise<unknown> {
  if (order.kind === "open") {
    generator = await openGenerator(order.options, events);
    return null;
  }
  if (generator === undefined) throw new RingtailError("CONNECTION_LOST", "a generator must be opened first");
  if (order.kind === "load") return await generator.load(order.mode);
  return packRecording(await generator.measure(order.run));
}

process.on("disconnect", () => process.exit());
process.on("message", (order: Order) => {
  obey(order).then(
    (value) => tell({ kind: "answered", facts: generator?.facts as never, value }),
    (error: unknown) => {
      if (!(error instanceof RingtailError)) throw error;
      tell({ kind: "failed", code: error.code, message: error.message });
    },
  );
});
