/** WaitingList beside a plain array: any order of coming and going. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { defaultOptions, getRequest, type Request, type RequestEvents } from "../../../src/client/request.ts";
import { WaitingList } from "../../../src/client/waiting-list.ts";
import type { GetReply } from "../../../src/wire/gen/codecs.ts";

const events: RequestEvents<GetReply> = { onReply() {}, onFailure() {} };

function newRequest(): Request<GetReply> {
  return getRequest(Uint8Array.of(1), Uint8Array.of(1), defaultOptions, events);
}

it("keeps the order of those that stay", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(), { nil: undefined }), { maxLength: 40 }), (steps) => {
      const list = new WaitingList();
      const naive: Request<GetReply>[] = [];
      for (const step of steps) {
        if (step === undefined || naive.length === 0) {
          const request = newRequest();
          list.push(request);
          naive.push(request);
        } else list.remove(naive.splice(step % naive.length, 1)[0] as Request<GetReply>);
        expect(list.size).toBe(naive.length);
        expect(list.peek()).toBe(naive[0]);
      }
      for (const request of naive) {
        expect(list.peek()).toBe(request);
        list.remove(request);
      }
      expect(list.peek()).toBeUndefined();
    }),
  );
});

it("refuses a request that waits already", () => {
  const list = new WaitingList();
  const [first, second] = [newRequest(), newRequest()];
  list.push(first);
  list.push(second);
  expect(() => list.push(first)).toThrow("a request waits once");
});
