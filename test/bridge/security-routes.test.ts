import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { readSource, sourceFiles } from "../style/checker.ts";
import { bearer, guarded, TOKEN } from "./security-support.ts";

const top = join(import.meta.dir, "../..");

describe("Invariant 9 (the bridge cannot act), by its routes", () => {
  /** Every route but the middleware before them, as "METHOD path". */
  const routesOf = (token: string | null) =>
    guarded({ token }).app.routes.flatMap(({ method, path }) => (path === "/*" ? [] : [`${method} ${path}`]));

  test("without a token every route of the router is a GET", () => {
    const routes = routesOf(null);
    expect(routes.length).toBeGreaterThan(5);
    expect(routes.filter((route) => !route.startsWith("GET "))).toEqual([]);
  });

  test("with one, the login and the logout are the only others, and change nothing but the browser's own session", async () => {
    const added = routesOf(TOKEN).filter((route) => !routesOf(null).includes(route));
    expect(added.sort()).toEqual(["GET /login", "GET /login.css", "GET /logout", "POST /login", "POST /logout"]);
    const { logIn, ask, hub, gate } = guarded();
    const before = JSON.stringify(hub.snapshot());
    const headers = { cookie: ((await logIn(TOKEN)).headers.get("set-cookie") ?? "").split(";")[0] ?? "" };
    expect(gate.counters()["bridge.sessions"]).toBe(1);
    await ask("/logout", { method: "POST", headers });
    expect(gate.counters()["bridge.sessions"]).toBe(0);
    expect(JSON.stringify(hub.snapshot())).toBe(before);
  });

  test("no other method does anything on any of them, for one who may read: 405, and Allow says GET and HEAD", async () => {
    const { ask } = guarded();
    const paths = routesOf(TOKEN).map((route) => (route.split(" ")[1] ?? "").replace(":name", "app.js"));
    for (const path of [...paths, "/api/halt", "/api/orders", "/api/config"]) {
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        if (method === "POST" && /^\/log(in|out)$/.test(path)) continue;
        const reply = await ask(path, { method, ...bearer(TOKEN) });
        expect([path, method, reply.status, reply.headers.get("allow")]).toEqual([path, method, 405, "GET, HEAD"]);
      }
    }
  });
});

describe("Invariant 9 (the bridge cannot act), by its imports", () => {
  const roots = [...sourceFiles(top, "src/bridge"), ...sourceFiles(top, "src/role/bridge")];
  const reached = importWalk(roots);

  test("no path leads from the bridge to a broker, a journal, an order, a strategy or an exchange", () => {
    expect(reached.size).toBeGreaterThan(roots.length);
    expect(roomsOf(reached)).not.toContain("src/execution");
    expect(roomsOf(reached)).not.toContain("src/strategy");
    expect(roomsOf(reached)).not.toContain("src/feed");
    expect(
      [...reached.keys()].filter((path) => /role\/(runner|market-data|up|chaos|tools|sim|data)\//.test(path)),
    ).toEqual([]);
  });

  test("none leads to a store's writer, its grant or its pipeline: only types of them, which are gone when it runs", () => {
    const writers = [...reached.keys()].filter((path) =>
      /^src\/store\/.*(writ|grant|pipeline|publish|seal|compact|heal)/.test(path),
    );
    expect(writers.map((path) => `${path} from ${reached.get(path)}`)).toEqual([]);
  });

  test("the app's own room opens no file, no socket and no process, and the role hands it readers alone", () => {
    for (const path of sourceFiles(top, "src/bridge").filter((each) => !each.startsWith("src/bridge/dashboard/"))) {
      const packages = [...valueImports(readSource(top, path))].filter((target) => !target.startsWith("."));
      expect(packages.filter((name) => /^(node:|bun|deno|#|fs$|net$|http)/.test(name))).toEqual([]);
    }
  });

  test("the walk itself finds what it looks for: from a runner it reaches the journal and the broker", () => {
    const fromRunner = importWalk(sourceFiles(top, "src/role/runner"));
    expect(roomsOf(fromRunner)).toContain("src/execution");
    const fromMarket = importWalk(sourceFiles(top, "src/role/market-data"));
    expect([...fromMarket.keys()].some((path) => /^src\/store\/writer/.test(path))).toBe(true);
  });
});

/** Every file that is loaded with the roots, by who imports it first. Imports of types alone load nothing. */
function importWalk(roots: readonly string[]): ReadonlyMap<string, string> {
  const reached = new Map<string, string>(roots.map((root) => [root, "itself"]));
  const queue = [...roots];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for (const target of valueImports(readSource(top, path))) {
      if (!target.startsWith(".")) continue;
      const next = join(dirname(path), target);
      if (!/\.tsx?$/.test(next) || reached.has(next)) continue;
      reached.set(next, path);
      queue.push(next);
    }
  }
  return reached;
}

function* valueImports(code: string): Generator<string> {
  const statements = code.matchAll(
    /^(?:import|export)\s+(?!type\b)(?:[^"';]*?\bfrom\s*)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm,
  );
  for (const [, fixed, dynamic] of statements) yield fixed ?? dynamic ?? "";
}

function roomsOf(reached: ReadonlyMap<string, string>): readonly string[] {
  return [...new Set([...reached.keys()].map((path) => path.split("/").slice(0, 2).join("/")))];
}
