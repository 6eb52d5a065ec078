/**
 * What becomes of concurrent writes to a bucket (Dynamo 4.4): all are kept as siblings, or the last one wins. The numbers
 * are those of the schema.
 */
import { RingtailError } from "./errors.ts";

/** The resolver as people name it. */
export type ResolverName = "siblings" | "lww";

/** The resolver as a number of the schema. */
export type Resolver = 0 | 1;

export const Resolver: Readonly<{
  /** Concurrent writes are kept until a put covers them. */
  siblings: 0;
  /** Writes are stamped, and the greatest stamp wins: of concurrent writes all but one are lost. */
  lww: 1;
}> = { siblings: 0, lww: 1 };

const names: readonly ResolverName[] = ["siblings", "lww"];

/** The resolver's name. */
export function resolverName(resolver: Resolver): ResolverName {
  return names[resolver] as ResolverName;
}

/** The resolver of that name; throws `INVALID_ARGUMENT` naming what is allowed. */
export function resolverOf(name: string): Resolver {
  const index = names.indexOf(name as ResolverName);
  if (index < 0) throw new RingtailError("INVALID_ARGUMENT", `no such resolver: ${name} (${names.join(", ")})`);
  return index as Resolver;
}
