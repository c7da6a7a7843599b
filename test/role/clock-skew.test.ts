import { expect, test } from "bun:test";
import { ClockSkew } from "../../src/role/platform/skew.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("A clock's skew is constant, or jumps at the ages of the process that are told", () => {
  const ages = [0, 4999, 5000, 9999, 10_000, 99_999];
  const at = (text: string | undefined) => ages.map((age) => new ClockSkew(text).at(age));
  expect(at(undefined)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(at("-3000")).toEqual([-3000, -3000, -3000, -3000, -3000, -3000]);
  expect(at("+50,60000@5000, 0@10000")).toEqual([50, 50, 60_000, 60_000, 0, 0]);
  expect(at("7@5000")).toEqual([0, 0, 7, 7, 7, 7]);
  expect([new ClockSkew("").wanted, new ClockSkew("0").wanted]).toEqual([false, true]);
  for (const text of ["soon", "1.5", "5@", "5@x", "1,,2", "1e3"])
    expect(() => new ClockSkew(text)).toThrow(/Bad FABRIC_CLOCK_SKEW_MS .*expected ms such as -3000/);
});

test("A node with a wrong wall clock sends it, tells how wrong it is, and doctor says so; a setting that cannot be read ends the start (78)", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  const words = ["sim", "--port", "0", "--symbols", "BTCUSDT", "--data", data];
  const env = { FABRIC_CLOCK_SKEW_MS: "-3600000,7200000@2500" };
  await using node = start(words, { env });
  const told: number[] = [];
  await eventually(
    async () => {
      const heard = await fabric(["tail", "telemetry.health.sim", "-c", "1", "--json", "--data", data]);
      const body = JSON.parse(heard.out);
      expect(Math.abs(body.sentAt - Date.now() - body.details.clockSkewMs)).toBeLessThan(60_000);
      told.push(body.details.clockSkewMs);
      return told.includes(7_200_000);
    },
    20_000,
    "the clock to jump",
  );
  expect(new Set(told).isSubsetOf(new Set([-3_600_000, 7_200_000]))).toBe(true);
  const doctor = await fabric(["doctor", "--json", "--data", data]);
  expect(JSON.parse(doctor.out).filter((each: { check: string }) => each.check === "clock-skew")).toEqual([
    expect.objectContaining({
      ok: false,
      finding: expect.stringContaining("sim runs with a wall clock that was made wrong, by 7200000 ms"),
    }),
  ]);
  expect(await node.stop()).toBe(0);
  const bad = await fabric(words, { env: { FABRIC_CLOCK_SKEW_MS: "soon" } });
  expect([bad.code, bad.err]).toEqual([
    78,
    expect.stringMatching(/^fabric: Bad FABRIC_CLOCK_SKEW_MS "soon": expected ms/),
  ]);
}, 40_000);
