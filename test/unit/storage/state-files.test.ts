/** The bytes around a state file's payload: every damage is noticed, and a later format is refused by name. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { hexOf, utf8 } from "../../../src/base/bytes.ts";
import { RingtailError } from "../../../src/base/errors.ts";
import { openStateFile, sealStateFile } from "../../../src/storage/state-files.ts";

test("gives back what was sealed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (payload) => {
      expect(hexOf(openStateFile("ring", 1, sealStateFile(1, payload)))).toBe(hexOf(payload));
    }),
  );
  expect(hexOf(sealStateFile(2, utf8("123456789")))).toBe(
    `525453540200000009000000839206e3${hexOf(utf8("123456789"))}`,
  );
});

test("notices any changed, missing or added byte", () => {
  const file = sealStateFile(1, utf8("the payload"));
  for (let at = 0; at < file.length; at += 1) {
    const changed = file.slice();
    changed[at] = (changed[at] as number) ^ 0x10;
    expect(() => openStateFile("actor", 1, changed), `byte ${at}`).toThrow(RingtailError);
    expect(() => openStateFile("actor", 1, file.subarray(0, at)), `cut at ${at}`).toThrow(/state file "actor"/);
  }
  expect(() => openStateFile("actor", 1, new Uint8Array([...file, 0]))).toThrow("length");
});

test("an older format is read, a later one is refused with both numbers", () => {
  expect(openStateFile("identity", 3, sealStateFile(1, utf8("x")))).toEqual(utf8("x"));
  expect(() => openStateFile("identity", 1, sealStateFile(2, utf8("x")))).toThrow(
    'the state file "identity" has format 2; this version of Ringtail reads up to format 1',
  );
});
