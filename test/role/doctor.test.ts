import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { kill, Up } from "../slow/support-up.ts";
import { eventually } from "../support/eventually.ts";
import { FABRIC, fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly finding: string;
  readonly remedy: string;
}

interface NodeRow {
  readonly node: string;
  readonly state: string | null;
  readonly drops: number | null;
  readonly rssBytes: number | null;
}

const NODES = ["bridge", "market-data", "scanner", "sim", "sma-cross"];

describe("fabric doctor and fabric top without a fabric", () => {
  test("doctor says that there is no data folder, with the remedy, and exits with 69", async () => {
    using folder = tempFolder();
    const { code, findings } = await doctor(folder.join("none"));
    expect(code).toBe(69);
    expect(problems(findings)).toEqual(["data-folder"]);
    expect(findings.at(-1)?.remedy).toContain(`fabric up --data ${folder.join("none")}`);
  });

  test("doctor says that no node lives in an empty folder; top prints an empty array and says so", async () => {
    using folder = tempFolder();
    const [{ code, findings }, top] = await Promise.all([
      doctor(folder.path),
      fabric(["top", "--once", "--json", "--data", folder.path]),
    ]);
    expect(code).toBe(69);
    expect(problems(findings)).toEqual(["nodes", "store-holder", "manifest"]);
    expect(JSON.parse(top.out)).toEqual([]);
    expect(top.err).toContain("no node is alive");
    expect(top.code).toBe(0);
  });

  test("top takes --json only with --once", async () => {
    expect((await fabric(["top", "--json"])).code).toBe(64);
  });
});

describe.skipIf(process.platform !== "linux")("fabric doctor and fabric top beside a real fabric up", () => {
  const folder = tempFolder();
  let up: Up;

  beforeAll(async () => {
    up = Up.start(folder.path, ["--speed", "120", "--symbols", "BTCUSDT,ETHUSDT"]);
    await up.firstCandle("BTCUSDT");
    await eventually(() => up.nodes().size === NODES.length);
  }, 20_000);

  afterAll(async () => {
    await up[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test("all is well: exit 0, a line each that needs no colour, and candles really received", async () => {
    // A fabric that has just started may still have a rail that waits for its first candle.
    const { out } = await eventually(async () => {
      const told = await fabric(["doctor", "--data", folder.path]);
      if (told.code !== 0) throw new Error(told.out);
      return told;
    }, 15_000);
    expect(out).toMatch(/^ok +store-holder +process \d+ \(market-data\) holds the store$/m);
    expect(out).toMatch(/^ok +receiving +\d+ heartbeats and [1-9]\d* candles? heard/m);
    expect(out).toMatch(/^ok +endpoint +sim speaks: .* \(2 of 2 endpoints answered\)$/m);
    expect(out).toMatch(/^all is well$/m);
    expect(out).not.toContain("PROBLEM");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour is what must not be there
    expect(out).not.toMatch(/\u001b/);
  }, 20_000);

  test("top prints every node once, for people and as one array of flat rows", async () => {
    const [table, json] = await Promise.all([
      fabric(["top", "--once", "--data", folder.path]),
      fabric(["top", "--once", "--json", "--data", folder.path]),
    ]);
    expect(table.code).toBe(0);
    for (const node of NODES) expect(table.out).toMatch(new RegExp(`^${node} .* running `, "m"));
    expect(table.out).toMatch(/^sma-cross +BTCUSDT +FAST +\S+ +2025-01-01T/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour is what must not be there
    expect(table.out).not.toMatch(/\u001b/);
    const rows = JSON.parse(json.out) as readonly NodeRow[];
    expect(rows.map((row) => row.node)).toEqual(NODES);
    for (const row of rows) {
      expect(row).toMatchObject({ state: "running", drops: 0, staleSince: null });
      expect(row.rssBytes).toBeGreaterThan(1024 ** 2);
      for (const value of Object.values(row)) expect(value === null || typeof value !== "object").toBe(true);
    }
  }, 15_000);

  test("top on a terminal draws in place, and gives the screen back at q and at Ctrl-C", async () => {
    await Promise.all([quitsAt("q"), quitsAt("\u0003")]);
  }, 15_000);

  test("a stopped runner and a node that died are found; top marks the runner as stale", async () => {
    const ghost = start(["scanner", "--name", "ghost", "--data", folder.path]);
    await eventually(async () => (await statusNames()).includes("ghost"), 8000);
    const runner = up.nodes().get("sma-cross") ?? 0;
    await using blocks = start(["top", "--data", folder.path], { env: { NO_COLOR: "1" } });
    await eventually(() => /^sma-cross +runner +running/m.test(blocks.out()), 8000);
    ghost.process.kill("SIGKILL");
    await ghost.process.exited;
    process.kill(runner, "SIGSTOP");
    try {
      const [{ code, findings }, once] = await Promise.all([
        doctor(folder.path),
        fabric(["top", "--once", "--json", "--data", folder.path]),
      ]);
      expect(code).toBe(69);
      expect(problems(findings)).toEqual(["left-over", "endpoint"]);
      const [leftOver, endpoint] = findings.filter((finding) => !finding.ok);
      expect(leftOver?.finding).toContain(`ghost (scanner) is advertised as process ${ghost.pid}`);
      expect(leftOver?.remedy).toContain(folder.join("run", "ghost.json"));
      expect(endpoint?.finding).toContain("sma-cross");
      expect(endpoint?.remedy).toContain(`kill -CONT ${runner}`);
      await eventually(
        () => /^sma-cross +runner .* stale since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m.test(blocks.out()),
        8000,
      );
      expect(await blocks.stop("SIGTERM")).toBe(0);
      const row = (JSON.parse(once.out) as readonly NodeRow[]).find((each) => each.node === "sma-cross");
      expect(row).toMatchObject({ state: null, pid: runner, ageMs: null });
    } finally {
      process.kill(runner, "SIGCONT");
      kill(ghost.pid);
    }
  }, 30_000);

  async function quitsAt(key: string): Promise<void> {
    let screen = "";
    const child = Bun.spawn([...FABRIC, "top", "--data", folder.path], {
      env: { ...process.env, TERM: "xterm", NO_COLOR: "" },
      terminal: {
        cols: 100,
        rows: 30,
        data: (_terminal, bytes) => {
          screen += new TextDecoder().decode(bytes);
        },
      },
    });
    await eventually(
      () => /market-data +market-data +running/.test(screen) && screen.split("\u001b[H").length > 3,
      8000,
    );
    expect(screen.startsWith("\u001b[?1049h\u001b[?25l")).toBe(true);
    expect(screen).toContain("\u001b[1mnode ");
    child.terminal?.write(key);
    expect(await child.exited).toBe(0);
    await eventually(() => screen.includes("\u001b[?25h\u001b[?1049l"));
    child.terminal?.close();
  }

  async function statusNames(): Promise<readonly string[]> {
    const { out } = await fabric(["status", "--json", "--data", folder.path]);
    return (JSON.parse(out) as readonly NodeRow[]).map((row) => row.node);
  }
});

async function doctor(data: string): Promise<{ readonly code: number | null; readonly findings: readonly Finding[] }> {
  const { code, out, err } = await fabric(["doctor", "--json", "--data", data]);
  if (err !== "") throw new Error(err);
  const findings = JSON.parse(out) as readonly Finding[];
  for (const { ok, remedy } of findings) expect(remedy === "").toBe(ok);
  return { code, findings };
}

function problems(findings: readonly Finding[]): readonly string[] {
  return findings.filter((finding) => !finding.ok).map((finding) => finding.check);
}
