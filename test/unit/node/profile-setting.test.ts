/** Configuration: the profile of membership, by name, and what its help says of it. */
import { expect, test } from "vitest";
import { profiles } from "../../../src/membership/profile.ts";
import { suspicionMinUs } from "../../../src/membership/suspicion.ts";
import { configOf, settings } from "../../../src/node/config.ts";

test("membership is lan unless it is said to be wan; what is for measurements alone is refused", () => {
  expect(configOf({}).profile).toBe("lan");
  expect(configOf({ profile: "wan" }).profile).toBe("wan");
  for (const profile of ["memberlistLan", "loopback", "", "LAN"]) {
    expect(() => configOf({ profile })).toThrow("allowed: lan or wan");
  }
});

test("the help of the profile tells its figures", () => {
  const help = settings.find(({ key }) => key === "profile")?.help ?? "";
  const { lan, wan } = profiles;
  expect(help).toContain(
    `lan (answers within ${lan.timeoutUs / 1000} ms; dead after ${suspicionMinUs(lan, 3) / 1e6} s`,
  );
  expect(help).toContain(`wan (within ${wan.timeoutUs / 1e6} s; after ${suspicionMinUs(wan, 3) / 1e6} s)`);
});
