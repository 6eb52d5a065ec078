/**
 * WaitingList: requests that wait for a place at one node, oldest first. Linked through the requests themselves, so
 * that one that ends early (deadline, cancel) leaves at once and nothing stale piles up at a node that stays away.
 */
import { assert } from "../base/assert.ts";
import type { AnyReply, Request } from "./request.ts";

export class WaitingList {
  #first: Request<AnyReply> | undefined = undefined;
  #last: Request<AnyReply> | undefined = undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest, left in place. */
  peek(): Request<AnyReply> | undefined {
    return this.#first;
  }

  push(request: Request<AnyReply>): void {
    assert(request.previousWaiting === undefined && request.nextWaiting === undefined, "a request waits once");
    request.previousWaiting = this.#last;
    if (this.#last === undefined) this.#first = request;
    else this.#last.nextWaiting = request;
    this.#last = request;
    this.#size += 1;
  }

  /** Takes out a request that is in this list. */
  remove(request: Request<AnyReply>): void {
    const { previousWaiting, nextWaiting } = request;
    if (previousWaiting === undefined) this.#first = nextWaiting;
    else previousWaiting.nextWaiting = nextWaiting;
    if (nextWaiting === undefined) this.#last = previousWaiting;
    else nextWaiting.previousWaiting = previousWaiting;
    request.previousWaiting = undefined;
    request.nextWaiting = undefined;
    this.#size -= 1;
    assert(this.#size >= 0, "a request leaves the list that it is in");
  }
}
