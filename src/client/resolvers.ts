/**
 * Resolvers: ready-made merges of siblings for `Bucket.update` (Dynamo 4.4: the application reconciles). Each is a
 * function from all siblings to one value; the order of siblings means nothing, so none depends on it where values
 * differ. Compose: `cart.update(key, (siblings) => add(union(siblings), item))`.
 */

/** All siblings of a key, at least one, to the value that replaces them. */
export type Resolver<T> = (siblings: readonly T[]) => T;

function combine<T>(siblings: readonly T[], join: (a: T, b: T) => T): T {
  if (siblings.length === 0) throw new TypeError("nothing to resolve: the key has no value");
  return siblings.reduce(join);
}

/**
 * The union of arrays or sets, without duplicates: what was added on any branch is there. What was removed on one branch
 * comes back if another still has it (Dynamo's cart). Elements are told apart by `identity`: itself unless given.
 */
export function unionArrays<E>(identity: (element: E) => unknown = (element) => element): Resolver<E[]> {
  return (siblings) => {
    const seen = new Map<unknown, E>();
    for (const sibling of siblings) {
      for (const element of sibling) if (!seen.has(identity(element))) seen.set(identity(element), element);
    }
    return [...seen.values()];
  };
}

/** The union of sets, as `unionArrays`. */
export function unionSets<E>(): Resolver<Set<E>> {
  return (siblings) => {
    const all = new Set<E>();
    for (const sibling of siblings) for (const element of sibling) all.add(element);
    return all;
  };
}

/** The sibling with the greatest `measure`; of equals the first. */
export function maxBy<T>(measure: (value: T) => number | string | bigint): Resolver<T> {
  return (siblings) => combine(siblings, (a, b) => (measure(b) > measure(a) ? b : a));
}

/**
 * The sibling whose `field` is the greatest: the last write, if the application keeps an ISO date or a counter there. The
 * other writes are lost, and clocks may differ: for data where that does not matter.
 */
export function lastWrittenBy<T, K extends keyof T>(
  field: T[K] extends number | string | bigint ? K : never,
): Resolver<T> {
  return maxBy((value) => value[field as K] as number | string | bigint);
}

/** Objects merged entry by entry; an entry that several siblings have is merged by `resolve`. */
export function mergeMaps<V>(resolve: Resolver<V>): Resolver<Record<string, V>> {
  return (siblings) => {
    const branches = new Map<string, V[]>();
    for (const sibling of siblings) {
      for (const [key, value] of Object.entries(sibling)) {
        const values = branches.get(key);
        if (values === undefined) branches.set(key, [value]);
        else values.push(value);
      }
    }
    return Object.fromEntries([...branches].map(([key, values]) => [key, resolve(values)]));
  };
}
