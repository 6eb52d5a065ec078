/** The admin endpoint of real nodes: health, readiness, metrics, the cluster's status, the page, and who is turned away. */
import { createServer, request } from "node:http";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { errorTable } from "../../src/base/errors.ts";
import {
  type Background,
  cleanUp,
  freePorts,
  jsonOf,
  ringtail,
  start,
  temporaryDirectory,
  UpCluster,
  waitFor,
} from "../support/e2e.ts";

afterAll(cleanUp);

const alone = ["--bootstrap", "--n", "1", "--r", "1", "--w", "1", "--replicas-max", "1", "--partitions", "8"];

/** The node's admin URL, as its log says. */
function urlOf(node: Background): Promise<string> {
  return waitFor("the admin endpoint's address in the log", () => /"url":"([^"]+)"/.exec(node.stderr)?.[1]);
}

function statusAs(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once("error", reject)
      .end();
  });
}

describe("one node", () => {
  it("is healthy at once, ready when it serves, and measured", async () => {
    const directory = temporaryDirectory();
    const port = await freePorts(1);
    const args = ["serve", "--directory", join(directory, "a"), "--listen", `127.0.0.1:${port}`];
    const env = { RINGTAIL_ADMIN_LISTEN: "127.0.0.1:0" };
    const waiting = start([...args, "--seed-node", "127.0.0.1:1"], { env });
    await waiting.line(/listens on/);
    const early = await urlOf(waiting);
    expect((await fetch(`${early}/healthz`)).status).toBe(200);
    const notReady = await fetch(`${early}/readyz`);
    expect(notReady.status).toBe(503);
    expect(await notReady.text()).toMatch(/^(starting|DEADLINE_EXCEEDED: .*)\n$/);
    await waiting.stop("SIGTERM");

    const node = start([...args, ...alone], { env });
    await node.line(/ is ready$/);
    const url = await urlOf(node);
    // On a busy machine the node's own port may be late once.
    const ready = await waitFor("readiness", async () => {
      const response = await fetch(`${url}/readyz`);
      return response.status === 200 && response;
    });
    expect(await ready.text()).toBe("serving\n");
    const seedNode = ["--seed-node", `127.0.0.1:${port}`];
    for (const key of ["a", "b"]) expect((await ringtail(["put", "x", key, "v", ...seedNode])).status).toBe(0);
    const metrics = await waitFor("metrics", async () => {
      const response = await fetch(`${url}/metrics`);
      return response.status === 200 && response;
    });
    expect(metrics.headers.get("content-type")).toContain("version=0.0.4");
    const text = await metrics.text();
    expect(text).toMatch(/^ringtail_ready 1$/m);
    expect(text).toMatch(/^ringtail_put_latency_samples_total [2-9]$/m);
    expect(text).toMatch(/^ringtail_repair_oldest_unverified_seconds \d/m);

    const shown = jsonOf(await ringtail(["status", "--json", ...seedNode])) as { cluster: object; nodes: object[] };
    const told = (await (await fetch(`${url}/status.json`)).json()) as typeof shown;
    expect(told.cluster).toEqual(shown.cluster);
    expect(Object.keys(told.nodes[0] as object)).toEqual(Object.keys(shown.nodes[0] as object));

    const page = await fetch(`${url}/?x=1`);
    expect(await page.text()).toContain("/dashboard.js");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect((await fetch(`${url}/dashboard.js`)).headers.get("content-type")).toContain("javascript");
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: "POST", body: "x" })).status).toBe(405);
    const { length } = await (await fetch(`${url}/healthz`, { method: "HEAD" })).text();
    expect(length).toBe(0);
    // A page elsewhere whose name points to this machine.
    expect(await statusAs(`${url}/metrics`, "evil.example")).toBe(421);
    expect(await statusAs(`${url}/healthz`, "localhost:1")).toBe(200);
    expect((await node.stop("SIGTERM")).status).toBe(0);
  });

  it("does not start where its admin address cannot be used, and does without at the usual one", async () => {
    const directory = temporaryDirectory();
    const port = await freePorts(1);
    const taken = createServer();
    await new Promise<void>((resolve) => {
      taken.listen(port + 80, "127.0.0.1", resolve);
    });
    const args = ["serve", "--directory", join(directory, "a"), "--listen", `127.0.0.1:${port}`, ...alone];
    const refused = await ringtail([...args, "--admin-listen", `127.0.0.1:${port + 80}`]);
    expect(refused.status).toBe(errorTable.INVALID_ARGUMENT.exit);
    expect(refused.stderr).toContain(`adminListen: 127.0.0.1:${port + 80} is in use`);
    const open = await ringtail([...args, "--admin-listen", "0.0.0.0:0"]);
    expect(open.stderr).toContain("adminListen is 0.0.0.0:0, which is not a loopback address");
    const node = start(args, { env: { RINGTAIL_ADMIN_LISTEN: "" } });
    await node.line(/ is ready$/);
    expect(node.stderr).toContain("no dashboard and no metrics");
    await node.stop("SIGTERM");
    taken.close();
  });
});

it("ringtail up prints the dashboard's address, and the dashboard knows all nodes", async () => {
  const cluster = await UpCluster.start({ env: { RINGTAIL_ADMIN_LISTEN: "" } });
  const [, url] = await cluster.process.line(/^dashboard {2}(http:\S+)$/);
  const { nodes } = (await (await fetch(`${url}/status.json`)).json()) as { nodes: { name: string; state: string }[] };
  expect(nodes.map(({ name, state }) => `${name} ${state}`)).toEqual(["n1 alive", "n2 alive", "n3 alive"]);
  await cluster.stop();
});
