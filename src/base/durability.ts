/**
 * The four durability modes (Dynamo 6.1; the contract is in README.md): what a replica has done before it acknowledges.
 * The numbers are those of the schema; 0 stands for "whatever the bucket says".
 */
import { RingtailError } from "./errors.ts";

/** The mode as people and configuration name it. */
export type DurabilityName = "memory" | "buffered" | "one-durable" | "durable";

/** The mode as a number of the schema. */
export type Durability = 0 | 1 | 2 | 3 | 4;

export const Durability: Readonly<{
  /** As the bucket's policy says. */
  bucket: 0;
  /** In the object buffer; reaches the operating system within 20 ms. */
  memory: 1;
  /** Reached the operating system. */
  buffered: 2;
  /** As buffered, and one designated replica syncs within 5 ms before its own ack. */
  oneDurable: 3;
  /** Synced. */
  durable: 4;
}> = { bucket: 0, memory: 1, buffered: 2, oneDurable: 3, durable: 4 };

const names: readonly DurabilityName[] = ["memory", "buffered", "one-durable", "durable"];

/** The mode's name; the mode is not `bucket`. */
export function durabilityName(mode: Durability): DurabilityName {
  return names[mode - 1] as DurabilityName;
}

/** The mode of that name; throws `INVALID_ARGUMENT` naming what is allowed. */
export function durabilityOf(name: string): Durability {
  const index = names.indexOf(name as DurabilityName);
  if (index < 0) throw new RingtailError("INVALID_ARGUMENT", `no such durability: ${name} (${names.join(", ")})`);
  return (index + 1) as Durability;
}
