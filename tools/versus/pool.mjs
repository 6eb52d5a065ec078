/** What drivers share: connections of which each is used by one operation at a time, and bytes as they want them. */

/** Stores without contexts give this one. */
export const noBytes = new Uint8Array(0);

/** Operations that find no free connection wait in order; the bench bounds how many there are. */
export class Pool {
  all;
  #free;
  #waiting = [];

  constructor(connections) {
    this.all = connections;
    this.#free = [...connections];
  }

  /** Runs `work` with a connection of its own, and settles as it does. */
  async use(work) {
    const connection = this.#free.pop() ?? (await new Promise((resolve) => this.#waiting.push(resolve)));
    try {
      return await work(connection);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(connection);
      else next(connection);
    }
  }
}

/** The same bytes as a Buffer, which clients for Node want. */
export function view(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
