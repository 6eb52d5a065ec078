/**
 * operations-end (I-14): every operation ends, and by its deadline and a little; and a node owes no answer in the end:
 * a request whose connection is up has been answered, with success or an error, however late its client gave it up.
 */
import type { DurationUs } from "../../base/time.ts";
import type { Invariant } from "../audit.ts";
import { operationText } from "../history.ts";

/** Two host ticks and a retry's pause. */
const slackUs: DurationUs = 70_000;

/** Judged on the history and on the clients' connections. */
export const operationsEnd: Invariant = {
  name: "operations-end",
  check(audit) {
    for (const one of audit.cluster.history.operations) {
      const late = one.outcome === "open" || one.end > one.deadline + slackUs;
      if (late) audit.blame("operations-end", `ended too late or never: ${operationText(one)}`, one.key);
    }
    for (const client of audit.cluster.clients) {
      for (const owed of client.owed) audit.blame("operations-end", `${client.name} was never answered: ${owed}`);
    }
  },
};
