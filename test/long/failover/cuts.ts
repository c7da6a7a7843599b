import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export interface CutOptions {
  /** Pairs of a market and a consumer. Even ones lose their fast rail silently, odd ones by a closed connection. */
  readonly pairs: number;
  /** When the first minute after the cut ends, and over how long a stretch the pairs' minutes end, wall ms. */
  readonly firstMs: number;
  readonly spreadMs: number;
  /** Closes to be measured of each pair, one a minute. */
  readonly closes: number;
}

/** One candle that came over the fallback rail, with how long after readers could see it. */
export interface CutSample {
  readonly how: "silently" | "loudly";
  /** Its minute waited for the venue's klines. */
  readonly late: boolean;
  readonly afterSealMs: number;
}

interface Lines extends Disposable {
  readonly of: readonly (readonly string[])[];
}

/**
 * Cuts the fast rail of many consumers, then measures from the moment a due candle can be read in the store to its delivery. All at
 * speed 1: real time for one real minute, over real sockets, stores and processes.
 */
export async function measureCuts(options: CutOptions): Promise<readonly CutSample[]> {
  const { pairs, firstMs, spreadMs, closes } = options;
  using folder = tempFolder();
  using market = lines("market.ts", [folder.path, `${pairs}`, `${firstMs}`, `${spreadMs}`]);
  const bound = await eventually(
    () => {
      const found = market.of.filter(([word]) => word === "bound");
      return found.length === pairs ? found : null;
    },
    firstMs,
    "every market to be bound",
  );
  const proxies = bound.map(([, , port]) => new TcpProxy(Number(port)));
  try {
    using consumers = lines("consumers.ts", [folder.path, ...proxies.map(({ port }) => `${port}`)]);
    const heard = () => consumers.of.filter(([word]) => word === "heard").length === pairs;
    await eventually(heard, firstMs, "every consumer to hear its market before the first minute ends");
    for (const [nth, proxy] of proxies.entries()) if (nth % 2 === 0) proxy.swallow();
    for (const [nth, proxy] of proxies.entries()) if (nth % 2 === 1) proxy.cut();
    const delivered = () => consumers.of.filter(([word]) => word === "delivered");
    const withinMs = firstMs + spreadMs + closes * 60_000;
    await eventually(() => delivered().length >= pairs * closes, withinMs, "every candle to be delivered");
    const sealed = new Map(
      market.of
        .filter(([word]) => word === "sealed")
        .map(([, nth, openTime, ns]) => [`${nth} ${openTime}`, Number(ns)]),
    );
    return delivered().map(([, nth, openTime, ns, rail]) => {
      const sealedNs = sealed.get(`${nth} ${openTime}`);
      if (sealedNs === undefined || rail !== "FALLBACK") throw new Error(`${nth} ${openTime} came by ${rail}`);
      return {
        how: Number(nth) % 2 === 0 ? "silently" : "loudly",
        late: Number(nth) % 3 === 2,
        afterSealMs: (Number(ns) - sealedNs) / 1e6,
      };
    });
  } finally {
    for (const proxy of proxies) proxy[Symbol.dispose]();
  }
}

/** A program of this folder, and the words of each line it has printed. */
function lines(program: string, words: readonly string[]): Lines {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, program), ...words], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const found: (readonly string[])[] = [];
  void (async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of child.stdout) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) found.push(part.split(" "));
    }
  })();
  return { of: found, [Symbol.dispose]: () => child.kill("SIGKILL") };
}
