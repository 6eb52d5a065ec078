/**
 * What an operator is told about nodes that are gone, and about one that is taken for gone: removing, `ringtail hints`
 * beside nodes that do not answer, and going on without a majority.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { cleanUp, jsonOf, signal, start, UpCluster, waitFor } from "../support/e2e.ts";

let cluster: UpCluster;
beforeAll(async () => {
  cluster = await UpCluster.start({ flags: ["--no-restart"] });
});
afterAll(cleanUp);

it("a node that answers is not removed, unless that is said", async () => {
  for (const name of ["n1", "n2"]) {
    const refused = await cluster.run(["cluster", "remove", name]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/node \d answers: `ringtail cluster leave` .* `remove --although-alive`/);
  }
  const told = await cluster.run(["cluster", "remove", "n2", "--although-alive"]);
  expect(told).toMatchObject({ status: 0, stdout: expect.stringContaining("its removal is staged") as string });
  expect((await cluster.run(["cluster", "unstage", "n2"])).status).toBe(0);
});

it("two of three that are lost: hints are not said to be home, the rest goes on, one that returns is turned away", async () => {
  expect((await cluster.run(["hints"])).stdout).toBe("no hints: every record is where it belongs\n");
  for (const name of ["n2", "n3"]) signal(cluster.node(name).pid, "SIGKILL");
  const hints = await waitFor("the lost do not answer", async () => {
    const { stdout } = await cluster.run(["hints"]);
    return stdout.split("\n").length > 3 && stdout;
  });
  expect(hints).toMatch(/^no hints at the nodes that answer; .*\nn2: .*\nn3: /);

  const recover = ["cluster", "recover", "--lost", "n3", "--lost", "n2", "--lost", "3"];
  const ended = await waitFor("the lost have not been heard for a while", async () => {
    const one = await cluster.run([...recover, "--json"]);
    return one.status === 0 && one;
  });
  expect(jsonOf(ended)).toMatchObject({ lost: [{ name: "n2" }, { name: "n3" }], partitionsLost: 0 });
  const back = start(cluster.node("n2").arguments);
  await waitFor("the lost node is turned away", () => back.stderr.includes("this node has left the cluster"));
  await back.stop();
});
