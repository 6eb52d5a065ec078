/** The package's public names: a change here is a change for every user. */
import { expect, it } from "vitest";
import * as ringtail from "../../../src/index.ts";

it("are these", () => {
  expect(Object.keys(ringtail).sort()).toEqual([
    "Context",
    "Durability",
    "RingtailClient",
    "RingtailError",
    "bytes",
    "json",
    "lastWrittenBy",
    "maxBy",
    "mergeMaps",
    "text",
    "unionArrays",
    "unionSets",
  ]);
});

it("connect refuses malformed seed nodes before it dials", async () => {
  await expect(ringtail.RingtailClient.connect({ seedNodes: ["nowhere"] })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("seedNodes is nowhere; allowed: HOST:PORT"),
  });
  for (const none of [undefined, null, {}, { seedNodes: [] }, { seedNodes: "127.0.0.1:7401" }]) {
    const refused = ringtail.RingtailClient.connect(none as never);
    await expect(refused, JSON.stringify(none)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
});
