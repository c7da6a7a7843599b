import { join } from "node:path";
import type { StoredCandle } from "../../../src/core/candle.ts";
import { dropCounters } from "../../../src/role/top/drop-counters.ts";
import { rank } from "../../bench/figures.ts";
import { digestChain } from "../../slow/support-kill.ts";
import { openReader } from "../../store/support.ts";
import { eventually } from "../../support/eventually.ts";
import { FABRIC } from "../../support/fabric.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { Gauges, type ProcessFigures } from "./gauges.ts";
import { Program } from "./program.ts";

export interface SoakOptions {
  readonly seconds: number;
  /** Left out of the growth: caches fill, and the stalled ones reach their bounds. */
  readonly warmSeconds: number;
  readonly candlesPerSecond: number;
  readonly telemetryPerSecond: number;
  readonly symbols: number;
  /** Symbols whose every delivered candle is compared with the store, by digest. */
  readonly checkedSymbols: number;
}

export interface SoakResult {
  readonly options: SoakOptions;
  readonly processes: readonly ProcessFigures[];
  /** Messages a second really sent, and candles a second really delivered to the consumer. */
  readonly sentPerSecond: number;
  readonly deliveredPerSecond: number;
  /** Counted at the stalled ones, by name. */
  readonly drops: Readonly<Record<string, number>>;
  /** What must not be: anything lost, unbounded or uncounted. */
  readonly faults: readonly string[];
}

const RUNNER_SYMBOLS = 20;
/** The growth is told between the first and the last such part of the time after the warm-up: each spans several merges of segments. */
const WINDOW_PART = 1 / 3;
const STALLED_BROWSERS = 2;
const NEW_BROWSER_SECONDS = 10;
/** Where the runner's orders stop: its limit of orders in flight for each symbol. */
const IN_FLIGHT = 8;

/** Everything at once, for a while, with one of each kind that stands still. */
export async function soak(options: SoakOptions, tell: (line: string) => void = () => {}): Promise<SoakResult> {
  using folder = tempFolder();
  await using stage = await Stage.open(folder.join("data"), options);
  tell(`all of it runs; ${options.seconds} s from now`);
  await using gauges = await Gauges.open(folder.join("data"), stage.pids);
  const began = await stage.progress(gauges);
  for (let second = 1; second <= options.seconds; second++) {
    await Bun.sleep(1000);
    if (second % NEW_BROWSER_SECONDS === 0) await stage.renewBrowser();
    if (second % 60 === 0)
      tell(`${second} s: ${gauges.value("scanner", "fast.delivered.total")} candles over the fast rail`);
  }
  gauges.freeze();
  const ended = await stage.progress(gauges);
  const processes = gauges.figures(
    options.warmSeconds,
    Math.round((options.seconds - options.warmSeconds) * WINDOW_PART),
  );
  const faults = [...(await stage.wakeSubscriber()), ...(await stage.finish(gauges)), ...boundFaults(gauges)];
  const seconds = (ended.atMs - began.atMs) / 1000;
  return {
    options,
    processes,
    sentPerSecond: (ended.sent - began.sent) / seconds,
    deliveredPerSecond: (ended.delivered - began.delivered) / seconds,
    drops: stage.drops(gauges),
    faults,
  };
}

/** Bounds that the stalled ones ran into must hold, and be counted. */
function boundFaults(gauges: Gauges): readonly string[] {
  const waiting = gauges.value("eager", "broker.waiting");
  const refused = Object.entries(gauges.newest.get("eager")?.values ?? {}).filter(([name]) => name.includes("refused"));
  return [
    ...(waiting > RUNNER_SYMBOLS * IN_FLIGHT
      ? [`${waiting} orders were in flight at a broker that never answers`]
      : []),
    ...(waiting === 0 ? ["the broker that never answers was not asked"] : []),
    ...(refused.every(([, count]) => count === 0)
      ? ["no refused order was counted, though the broker stands still"]
      : []),
    ...(gauges.value("bridge", "bridge.clients.slow") === 0 ? ["no browser that never reads was found slow"] : []),
  ];
}

class Stage implements AsyncDisposable {
  readonly pids: ReadonlyMap<string, number>;
  readonly #data: string;
  readonly #options: SoakOptions;
  readonly #market: Program;
  readonly #others: readonly Program[];
  readonly #subscriber: Program;
  readonly #browser: Program;
  readonly #stream: string;
  readonly #stalled: Program[] = [];
  #missed = 0;
  #browserCuts = 0;

  private constructor(
    data: string,
    options: SoakOptions,
    parts: {
      readonly market: Program;
      readonly scanner: Program;
      readonly runner: Program;
      readonly bridge: Program;
      readonly subscriber: Program;
      readonly browser: Program;
      readonly stream: string;
    },
  ) {
    const { market, scanner, runner, bridge, subscriber, browser, stream } = parts;
    this.#data = data;
    this.#options = options;
    this.#market = market;
    this.#others = [scanner, runner, bridge];
    this.#subscriber = subscriber;
    this.#browser = browser;
    this.#stream = stream;
    this.pids = new Map([
      ["market-data", market.pid],
      ["scanner", scanner.pid],
      ["eager", runner.pid],
      ["bridge", bridge.pid],
    ]);
  }

  static async open(data: string, options: SoakOptions): Promise<Stage> {
    const { candlesPerSecond, telemetryPerSecond, symbols } = options;
    const market = Program.own(import.meta.dir, "market.ts", [data, candlesPerSecond, symbols, telemetryPerSecond]);
    const [, telemetry = ""] = await market.says(/^telemetry (\S+)$/m);
    const followed = Array.from({ length: RUNNER_SYMBOLS }, (_, nth) => `SYM${nth}USDT`).join(",");
    const scanner = new Program([...FABRIC, "scanner", "--rule", "volume-spike", "--data", data]);
    const runner = Program.own(import.meta.dir, "runner.ts", [data, followed]);
    const bridge = new Program([...FABRIC, "bridge", "--port", "0", "--telemetry", telemetry, "--data", data]);
    const [, url = ""] = await bridge.says(/Dashboard on (http:\S+)\//);
    const stream = `${url}/api/telemetry/stream`;
    const subscriber = Program.own(import.meta.dir, "subscriber.ts", [`ipc://${join(data, "run/market-data.ipc")}`]);
    await subscriber.says(/^ready$/m);
    subscriber.signal("SIGSTOP");
    const browser = Program.own(import.meta.dir, "browser.ts", [stream]);
    await browser.says(/^events [1-9]/m);
    const stage = new Stage(data, options, { market, scanner, runner, bridge, subscriber, browser, stream });
    for (let nth = 0; nth < STALLED_BROWSERS; nth++) await stage.renewBrowser();
    return stage;
  }

  /** A browser that stands still from its first bytes on takes the place of the oldest. */
  async renewBrowser(): Promise<void> {
    const stalled = Program.own(import.meta.dir, "browser.ts", [this.#stream, "stalls"]);
    this.#stalled.push(stalled);
    await stalled.says(/^asked$/m);
    stalled.signal("SIGSTOP");
    if (this.#stalled.length > STALLED_BROWSERS) await this.#stalled.shift()?.[Symbol.asyncDispose]();
  }

  /** What was sent and delivered so far. */
  async progress(
    gauges: Gauges,
  ): Promise<{ readonly atMs: number; readonly sent: number; readonly delivered: number }> {
    const fresh = ["market-data", "scanner"].map((node) => [node, gauges.newest.get(node)] as const);
    await eventually(
      () => fresh.every(([node, before]) => gauges.newest.get(node) !== before),
      10_000,
      "fresh telemetry",
    );
    const sent = gauges.value("market-data", "store.commitSeq") + gauges.value("market-data", "soak.telemetry");
    return { atMs: performance.now(), sent, delivered: this.#delivered(gauges) };
  }

  /** While messages still fly: what the subscriber that stood still missed shows in the next number of each topic. */
  async wakeSubscriber(): Promise<readonly string[]> {
    this.#subscriber.signal("SIGCONT");
    const closeMs = (1000 * this.#options.symbols) / this.#options.candlesPerSecond;
    await Bun.sleep(2000 + 20 * closeMs);
    const [, heard, missed] = await this.#subscriber.asks(/^heard (\d+) missed (\d+)$/gm);
    this.#missed = Number(missed);
    if (Number(missed) > 0 && Number(heard) > 0) return [];
    return [`the stalled subscriber heard ${heard} and missed ${missed}`];
  }

  /** Ends the closing and compares what the consumer has with the store. */
  async finish(gauges: Gauges): Promise<readonly string[]> {
    this.#market.signal("SIGUSR2");
    const faults: string[] = [];
    const stored = () => gauges.value("market-data", "store.commitSeq");
    let before = -1;
    await eventually(async () => {
      const still = stored() === before && gauges.value("market-data", "pipeline.waitingBatches") === 0;
      before = stored();
      await Bun.sleep(1100);
      return still;
    }, 60_000);
    await eventually(
      () => gauges.value("scanner", "cursor.throughSeq") >= stored(),
      60_000,
      "the consumer to have it all",
    );
    await Bun.sleep(1100);
    const browser = await this.#browser.newest(/^events (\d+) holes (\d+) cuts (\d+) backwards (\d+)$/gm);
    const leftOut = gauges.value("bridge", "bridge.conflated.total");
    if (Number(browser[2]) > leftOut)
      faults.push(`the browser that reads saw ${browser[2]} events missing, and the bridge left out ${leftOut}`);
    if (browser[4] !== "0") faults.push(`the browser that reads was told ${browser[4]} events late or twice`);
    this.#browserCuts = Number(browser[3]);
    if (Number(browser[1]) === 0) faults.push("the browser that reads was given nothing");
    for (const node of ["scanner", "eager"]) faults.push(...(await this.#againstStore(gauges, node)));
    return faults;
  }

  drops(gauges: Gauges): Readonly<Record<string, number>> {
    const told = [...gauges.newest].flatMap(([node, { values }]) =>
      dropCounters(values).map(({ name, count }) => [`${node} ${name}`, count] as const),
    );
    return {
      "stalled subscriber, by its messages' numbers": this.#missed,
      "browser that reads, cut off for being slow": this.#browserCuts,
      "bridge bridge.clients.cut.total": gauges.value("bridge", "bridge.clients.cut.total"),
      ...Object.fromEntries(
        Object.entries(gauges.newest.get("eager")?.values ?? {}).flatMap(([name, value]) =>
          name.includes("refused") && value > 0 ? [[`eager ${name}`, value]] : [],
        ),
      ),
      ...Object.fromEntries(told),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of [...this.#stalled, this.#browser, this.#subscriber, ...this.#others, this.#market])
      await program[Symbol.asyncDispose]();
  }

  #delivered(gauges: Gauges): number {
    return gauges.value("scanner", "fast.delivered.total") + gauges.value("scanner", "fallback.delivered.total");
  }

  /** A node's digests against those of the store's delivery: the newest rows of each symbol, as many as it says it had. */
  async #againstStore(gauges: Gauges, node: string): Promise<readonly string[]> {
    const rails = (gauges.newest.get(node)?.rails ?? []).slice(0, this.#options.checkedSymbols);
    if (rails.length === 0) return [`${node} tells of no rails`];
    const rows = await deliveryOf(this.#data, new Set(rails.map(({ symbol }) => symbol)));
    return rails.flatMap(({ symbol, delivered, digest }) => {
      const own = rows.get(symbol) ?? [];
      const startSeq = own.at(-delivered - 1)?.commitSeq ?? 0;
      const isAll = own.length === delivered;
      const expected = digestChain(own, symbol, isAll ? 0 : startSeq).at(-1);
      return expected === digest
        ? []
        : [`${node} ${symbol}: digest ${digest} after ${delivered} of ${own.length}, not ${expected}`];
    });
  }
}

/** The store's delivery of some symbols, read from its segments. */
async function deliveryOf(
  data: string,
  symbols: ReadonlySet<string>,
): Promise<ReadonlyMap<string, readonly StoredCandle[]>> {
  const reader = openReader(data);
  const rows = new Map<string, StoredCandle[]>();
  try {
    for (let after = 0; ; ) {
      const page = await reader.delivery(after, 50_000, symbols);
      for (const row of page?.candles ?? []) {
        const own = rows.get(row.symbol);
        if (own) own.push(row);
        else rows.set(row.symbol, [row]);
      }
      if (!page || page.throughSeq >= page.view.throughSeq) return rows;
      after = page.throughSeq;
    }
  } finally {
    await reader.close();
  }
}

/** Resident memory over time, event loops and rates, as a table. */
export function soakTable(result: SoakResult): string {
  const { processes, options } = result;
  const columns = 12;
  const at = Array.from({ length: columns }, (_, nth) => Math.round((nth * (options.seconds - 1)) / (columns - 1)));
  const cells = (values: readonly (string | number)[]) => values.map((value) => `${value}`.padStart(6)).join("");
  return [
    `${Math.round(result.sentPerSecond)} messages a second sent (${options.candlesPerSecond + options.telemetryPerSecond} wanted), ${Math.round(result.deliveredPerSecond)} candles a second delivered`,
    `resident MB   at s${cells(at)}   growth  loop lag ms: p50  p99 of 10 s  worst   cpu`,
    ...processes.map((each) => {
      const curve = cells(at.map((second) => Math.round(each.rssMb[second] ?? Number.NaN)));
      const lag = `${each.lagP50Ms.toFixed(1).padStart(17)} ${each.lagP99Ms.toFixed(0).padStart(12)} ${each.lagWorstMs.toFixed(0).padStart(6)}`;
      return `${each.name.padEnd(17)}${curve} ${each.growthPercent.toFixed(1).padStart(7)}%${lag} ${each.cpuPercent.toFixed(0).padStart(4)}%`;
    }),
    `dropped or refused, each counted: ${Object.entries(result.drops)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ")}`,
    ...(result.faults.length === 0
      ? ["nothing was lost"]
      : result.faults.slice(0, 20).map((fault) => `FAILED: ${fault}`)),
  ].join("\n");
}

/** second,process,rss_mb lines. */
export function soakCsv({ processes }: SoakResult): string {
  const lines = processes.flatMap(({ name, rssMb }) => rssMb.map((mb, second) => `${second},${name},${mb.toFixed(1)}`));
  return `second,process,rss_mb\n${lines.join("\n")}\n`;
}

/** The median growth rule, for tests: which processes grew by more than this many percent. */
export function grown({ processes }: SoakResult, percent: number): readonly string[] {
  return processes
    .filter(({ growthPercent }) => !(growthPercent <= percent))
    .map(
      ({ name, growthPercent, rssMb }) =>
        `${name} by ${growthPercent.toFixed(1)} % (median ${rank(rssMb, 0.5).toFixed(0)} MB)`,
    );
}
