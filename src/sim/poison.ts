/**
 * Poison: while the simulator steps, whatever could let the real world in throws. A lint
 * rule bans these names on floors 0-4 too; this catches what reaches them through a library.
 */
import { AssertionError } from "../base/assert.ts";

const functions = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"] as const;

function refuse(name: string): never {
  throw new AssertionError(
    `${name} was used while the simulator steps: a core took time, chance or order from outside`,
  );
}

function poisonedClass(name: string): unknown {
  return new Proxy(function poisoned() {}, {
    apply: () => refuse(name),
    construct: () => refuse(name),
    get: (_target, property) => refuse(`${name}.${String(property)}`),
  });
}

/**
 * Runs `body` with Date, Math.random, timers, queueMicrotask, performance and crypto replaced by functions that throw,
 * and puts them back, however `body` ends. `body` must be synchronous.
 */
export function poisoned<T>(body: () => T): T {
  const world = globalThis as unknown as Record<string, unknown>;
  const saved: [object, string, PropertyDescriptor | undefined][] = [];
  const replace = (owner: object, name: string, value: unknown): void => {
    saved.push([owner, name, Object.getOwnPropertyDescriptor(owner, name)]);
    Object.defineProperty(owner, name, { value, configurable: true, writable: true, enumerable: false });
  };
  try {
    for (const name of functions) replace(world, name, () => refuse(name));
    for (const name of ["Date", "performance", "crypto", "WeakRef", "Intl"]) replace(world, name, poisonedClass(name));
    replace(Math, "random", () => refuse("Math.random"));
    return body();
  } finally {
    for (const [owner, name, descriptor] of saved.reverse()) {
      if (descriptor === undefined) delete (owner as Record<string, unknown>)[name];
      else Object.defineProperty(owner, name, descriptor);
    }
  }
}
