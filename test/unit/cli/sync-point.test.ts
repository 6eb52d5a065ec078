/** Waiting for a cluster to catch up: one that does not answer in time is waited for, one that is not there is an error. */
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, it } from "vitest";
import { CatchUp } from "../../../src/cli/sync-point.ts";

let server: Server | undefined;

/** The address of somebody who takes connections and says nothing, as a machine that stands still does. */
async function silence(): Promise<string> {
  const listening = createServer();
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

afterEach(() => server?.close());

it("a node that is late is asked again until the time is over, and then it is told", async () => {
  const address = await silence();
  let connections = 0;
  server?.on("connection", () => {
    connections += 1;
  });
  const rest = await new CatchUp({ seedNode: [address], timeoutMs: "20" }).within(100);
  expect(rest).toBe(`${address} did not answer within 20 ms`);
  expect(connections).toBeGreaterThan(1);
});

it("a node that is not there is an error at once", async () => {
  const address = await silence();
  server?.close();
  await expect(new CatchUp({ seedNode: [address], timeoutMs: "5000" }).within(60_000)).rejects.toMatchObject({
    code: "CONNECTION_LOST",
  });
});
