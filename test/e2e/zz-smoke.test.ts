import { it } from "vitest";
import { json, RingtailClient } from "/work/main/src/index.ts";
import { startLocalCluster } from "/work/main/src/testing/index.ts";
it("smoke", async () => {
  const t0 = Date.now();
  const cluster = await startLocalCluster();
  console.log("up", Date.now() - t0, cluster.seedNodes);
  const client = await cluster.connect();
  const b = client.bucket("carts", { codec: json<{ a: number }>() });
  console.log(await b.get("x"));
  const p = await b.put("x", { a: 1 });
  console.log(JSON.stringify(p));
  await b.put("x", { a: 2 });
  const g = await b.get("x");
  console.log(JSON.stringify(g.siblings), g.receipt, g.versions);
  const u = await b.update("x", (s) => ({ a: s.reduce((n, c) => n + c.a, 0) }));
  console.log(u.value, (await b.get("x")).siblings);
  console.log(JSON.stringify(await b.getMany(["x", "y", "z"])));
  console.log(await b.delete("x"), (await b.get("x")).tombstones);
  for (const bad of [() => b.put("k".repeat(2000), { a: 1 }), () => b.get("x", { r: 5 }), () => b.get("")]) {
    await bad().catch((e) => console.log(e.code, e.message));
  }
  const raw = client.bucket("bytes");
  const value = new Uint8Array(1024);
  for (const kind of ["get", "put"]) for (let round = 0; round < 3; round++) {
    let n = 0; const t = performance.now(); const cpu = process.cpuUsage();
    await Promise.all(Array.from({ length: 64 }, async () => { while (n < 10000) { n++; kind === "get" ? await raw.get("k" + (n % 100)) : await raw.put("k" + round + "-" + n, value); } }));
    console.log(kind, Math.round(n / (performance.now() - t) * 1000), "ops/s", (process.cpuUsage(cpu).user / n).toFixed(1), "us all-in-process");
  }
  await cluster.nodes[2]!.stop();
  const r = await Promise.allSettled(Array.from({ length: 300 }, (_, i) => raw.put("z" + i, value)));
  console.log("after a stop", r.filter((x) => x.status === "rejected").map((x) => (x as any).reason.message).slice(0, 3), r.length);
  await cluster.nodes[2]!.start();
  await cluster.nodes[0]!.stop(); await cluster.nodes[1]!.stop(); await cluster.nodes[2]!.stop();
  await raw.put("q", value).catch((e) => console.log(e.code, e.message));
  await RingtailClient.connect({ seedNodes: cluster.seedNodes }).catch((e) => console.log(e.code, e.message));
  await cluster.close();
}, 60000);
