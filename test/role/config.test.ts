import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { fabric } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

interface Shown {
  readonly command: string;
  readonly flag: string;
  readonly value: unknown;
  readonly source: string;
}

async function shown(cwd: string, env: Record<string, string>): Promise<readonly Shown[]> {
  const { code, out, err } = await fabric(["config", "show", "--command", "up", "--json"], {
    cwd,
    env: { HOME: cwd, XDG_CONFIG_HOME: `${cwd}/xdg`, ...env },
  });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out);
}

const of = (rows: readonly Shown[], flag: string) => rows.find((row) => row.flag === flag);

test("a flag's value comes from the environment, then ./fabric.toml, then the user's file, then the default", async () => {
  using folder = tempFolder();
  mkdirSync(folder.join("xdg/fabric"), { recursive: true });
  writeFileSync(folder.join("xdg/fabric/fabric.toml"), "[up]\nport = 1111\nseed = 7\nspeed = 30\n");
  writeFileSync(
    folder.join("fabric.toml"),
    'data = "lab"\n[up]\nport = 2222\nspeed = 40\nstrategy = ["a.ts", "b.ts"]\n',
  );
  const rows = await shown(folder.path, { FABRIC_UP__PORT: "3333" });
  expect(of(rows, "port")).toMatchObject({ value: "3333", source: "FABRIC_UP__PORT" });
  expect(of(rows, "speed")).toMatchObject({ value: "40", source: `${folder.join("fabric.toml")} [up] speed` });
  expect(of(rows, "seed")).toMatchObject({ value: "7", source: `${folder.join("xdg/fabric/fabric.toml")} [up] seed` });
  expect(of(rows, "host")).toMatchObject({ value: "127.0.0.1", source: "default" });
  expect(of(rows, "data")).toMatchObject({ value: "lab", source: `${folder.join("fabric.toml")} data` });
  expect(of(rows, "strategy")).toMatchObject({ value: "a.ts,b.ts" });
});

test("a flag that is given wins over everything", async () => {
  using folder = tempFolder();
  writeFileSync(folder.join("fabric.toml"), '[sim]\nminutes = 5\nsymbols = "BTCUSDT"\n');
  const words = ["sim", "--truth", "--json"];
  const rows = async (...more: string[]) =>
    JSON.parse((await fabric([...words, ...more], { cwd: folder.path })).out).length;
  expect(await rows()).toBe(5);
  expect(await rows("--minutes", "2")).toBe(2);
});

const BAD: readonly (readonly [string, string, Record<string, string>, string])[] = [
  ["an unknown section", "[upp]\nport = 1\n", {}, 'Unknown section "upp" in'],
  ["an unknown key, naming the nearest", "[up]\nprot = 1\n", {}, 'did you mean "port"?'],
  ["a value of the wrong kind", "[up]\nport = [1]\n", {}, "expected a text or a number, found [1]"],
  ["a file that is no TOML", "[up\n", {}, "expected TOML"],
  ["an unknown environment key", "", { FABRIC_UP__PROT: "1" }, "environment variable FABRIC_UP__PROT"],
];

for (const [what, toml, env, expected] of BAD) {
  test(`${what} is one clear line and exit 78`, async () => {
    using folder = tempFolder();
    writeFileSync(folder.join("fabric.toml"), toml);
    const { code, err } = await fabric(["up", "--for", "1s"], { cwd: folder.path, env });
    expect(err.split("\n")).toHaveLength(2);
    expect(err).toContain(expected);
    expect(code).toBe(78);
  });
}

test("the children of up take their flags from it and nothing else", async () => {
  using folder = tempFolder();
  writeFileSync(folder.join("fabric.toml"), "[nonsense]\n");
  const { code } = await fabric(["sim", "--truth", "--minutes", "1"], {
    cwd: folder.path,
    env: { FABRIC_SUPERVISED: "1" },
  });
  expect(code).toBe(0);
});
