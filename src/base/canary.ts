/**
 * Canaries: bugs planted on purpose behind a switch, so that tests can prove that the checkers find them.
 * `if (canary("skip-read-repair")) return;` costs one comparison with undefined unless a test has enabled something, and
 * nothing but a test ever does: there is no setting, flag or variable for it.
 */
let enabled: ReadonlySet<string> | undefined;

/** Whether a test has enabled the planted bug of this name. `name` is a constant such as `"ack-before-w"`. */
export function canary(name: string): boolean {
  return enabled?.has(name) ?? false;
}

/** Enables exactly these planted bugs, or none. For tests only. */
export function enableCanaries(names: readonly string[]): void {
  enabled = names.length === 0 ? undefined : new Set(names);
}
