/**
 * Marks name rare branches, so that tests and the simulator can prove that they were reached. Free unless somebody
 * listens: one module-level function, replaced by a test.
 */
let listener: ((name: string) => void) | undefined;

/** Tells the listener, if there is one, that this branch was taken. `name` is a constant such as `"put.retry"`. */
export function mark(name: string): void {
  if (listener !== undefined) listener(name);
}

/** Sets or clears the listener; returns the previous one. For tests and the simulator. */
export function listenForMarks(next: ((name: string) => void) | undefined): ((name: string) => void) | undefined {
  const previous = listener;
  listener = next;
  return previous;
}
