/**
 * V8 compiles hot code for what it has met so far: a field that has only ever held its first value counts as a constant,
 * and `[]` as a list of small numbers. The first op that fails, or is refused, or meets a list that changes, would throw
 * away what was compiled of the whole way of a request; since all nodes take up a ring at once, on all of them at once,
 * and just when they are busy. So what is met on every request has from the start the shape that it will have.
 */

/** Another value of the same kind. */
function another(value: unknown): unknown {
  switch (typeof value) {
    case "number":
      return value === 1 ? 0 : 1;
    case "boolean":
      return !value;
    case "string":
      return value === "" ? "-" : "";
    default:
      return value === null ? {} : null;
  }
}

/** Shows that the fields of a class vary, by giving each of a specimen, which is of no further use, another value. */
export function varyFields(specimen: object): void {
  const fields = specimen as Record<string, unknown>;
  for (const name of Object.keys(fields)) fields[name] = another(fields[name]);
}

/** An empty list that may hold anything. */
export function emptyList<T>(): T[] {
  const list: unknown[] = [null];
  list.length = 0;
  return list as T[];
}
