import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { fabric } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectRefusal } from "./support-refusal.ts";

const REPLAY = ["market-data", "--feed", "replay", "--file", "x"];
const BINANCE = ["market-data", "--feed", "binance"];
const RUNNER = ["runner", "--strategy", "sma-cross"];

/** What is typed, and what the one line must say. */
const CASES: readonly (readonly [readonly string[], string])[] = [
  [["nosuch"], 'Unknown command "nosuch"'],
  [["runer"], 'Unknown command "runer"; did you mean "runner"?'],
  [["--verison"], 'Unknown flag "--verison"'],
  [["help", "nosuch"], 'Unknown command "nosuch"'],
  [["bridge", "--prot", "99"], 'Unknown flag --prot; did you mean "--port"? (see fabric bridge --help)'],
  [["scanner", "--bogus"], "Unknown flag --bogus"],
  [["orders", "--jsn"], 'did you mean "--json"?'],
  [["bridge", "--port"], "Flag --port needs a value (PORT)"],
  [["bridge", "--port="], "Flag --port needs a value (PORT)"],
  [["bridge", "--port", "--host", "x"], "Flag --port needs a value (PORT)"],
  [["query", "select 1", "--data", ""], "Flag --data needs a value (DIR)"],
  [["query", "--json=1", "select 1"], 'Flag --json takes no value, found "1"'],
  [["bridge", "--port", "1", "--port", "2"], "Flag --port is given twice"],
  [["bridge", "extra"], 'Unexpected word "extra"'],
  [["status", "x"], 'Unexpected word "x"'],
  [["query"], "Missing SQL: expected one SELECT"],
  [["query", "select 1", "select 2"], 'Unexpected word "select 2"'],
  [["query", "select 1", "--json", "--csv"], "Take --json or --csv, not both"],
  [["market-data"], "Missing --venue or --feed: expected a venue, or live, sim"],
  [["runner"], "Missing --strategy: expected sma-cross, rsi-reversion, channel-breakout"],

  [["bridge", "--port", "abc"], 'Bad --port "abc": expected a port from 0 to 65535'],
  [["bridge", "--port", "70000"], 'Bad --port "70000": expected a port from 0 to 65535'],
  [["bridge", "--port", "-1"], 'Bad --port "-1"'],
  [["bridge", "--max-clients", "0"], 'Bad --max-clients "0": expected a whole number from 1 to 100000'],
  [["bridge", "--max-clients", "many"], 'Bad --max-clients "many"'],
  [["sim", "--port", "8080.5"], 'Bad --port "8080.5"'],
  [["up", "--port", "0x50"], 'Bad --port "0x50"'],
  [["sim", "--speed", "0"], 'Bad --speed "0": expected a number from 0.1 to 10000'],
  [["sim", "--speed", "max"], 'Bad --speed "max"'],
  [["up", "--speed", "1e3"], 'Bad --speed "1e3"'],
  [[...REPLAY, "--speed", "0"], 'Bad --speed "0": expected max or a number from 0.1 to 10000'],
  [[...REPLAY, "--speed", "NaN"], 'Bad --speed "NaN"'],
  [["up", "--for", "5"], 'Cannot read --for: expected a duration such as 30s, 5m or 1h, found "5"'],
  [["up", "--for", "0s"], 'found "0s"'],
  [["up", "--for", "-5s"], 'found "-5s"'],
  [["up", "--seed", "1.5"], 'Bad --seed "1.5": expected a whole number from 0 to 4294967295'],
  [["sim", "--seed", "x"], 'Bad --seed "x": expected a whole number'],
  [["sim", "--truth", "--minutes", "0"], 'Bad --minutes "0": expected a whole number from 1 to 1000000'],
  [["sim", "--truth", "--minutes", "many"], 'Bad --minutes "many"'],
  [["sim", "--venue-faults", "ack-last=1"], 'unknown fault "ack-last"; did you mean "ack-lost"?'],
  [["sim", "--venue-faults", "busy=7"], 'found "busy=7"'],
  [["sim", "--venue-balances", "USDT"], 'expected ASSET=AMOUNT such as USDT=100000, found "USDT"'],
  [["sim", "--truth", "--venue-keys", "x"], "--venue-keys does not go with --truth"],
  [["sim", "--minutes", "5"], "--minutes goes with --truth"],
  [["sim", "--json"], "--json goes with --truth"],
  [["sim", "--truth", "--file", "x"], "--file does not go with --truth"],
  [["sim", "--truth", "--start", "yesterday"], 'expected a time such as 2025-01-01T00:00Z, found "yesterday"'],
  [["sim", "--truth", "--start", "2025-02-31"], 'found "2025-02-31"'],
  [["sim", "--truth", "--start", "2025-13-01T00:00Z"], 'found "2025-13-01T00:00Z"'],
  [["sim", "--truth", "--start", "2025-01-01T00:00:30Z"], 'Bad --start "2025-01-01T00:00:30Z": expected the start'],
  [[...BINANCE, "--history", "-1"], 'Bad --history "-1": expected a whole number from 0'],
  [["tail", "-c", "0"], 'Bad --count "0": expected a whole number from 1'],
  [["tail", "-c"], "Flag --count needs a value"],
  [[...RUNNER, "--max-decision-age", "x"], "Cannot read --max-decision-age: expected a duration such as 30s"],

  [["sim", "--symbols", "btcusdt"], 'Bad symbol "btcusdt": expected upper-case letters'],
  [["sim", "--symbols", ""], "Flag --symbols needs a value (A,B)"],
  [["sim", "--symbols", "BTCUSDT,,ETHUSDT"], 'Bad symbol ""'],
  [["sim", "--symbols", "BTC USDT"], 'Bad symbol "BTC USDT"'],
  [[...BINANCE, "--symbols", "BTCUSDT,BTCUSDT"], "Symbol BTCUSDT is named twice"],
  [[...RUNNER, "--symbols", "../../etc"], 'Bad symbol "../../etc"'],

  [[...BINANCE, "--publish", "foo"], 'Bad --publish "foo": expected tcp://host:port or ipc://path'],
  [[...BINANCE, "--publish", "tcp://127.0.0.1"], 'Bad --publish "tcp://127.0.0.1"'],
  [[...BINANCE, "--publish", "tcp://127.0.0.1:99999"], 'Bad --publish "tcp://127.0.0.1:99999"'],
  [[...BINANCE, "--publish", "udp://127.0.0.1:1"], 'Bad --publish "udp://127.0.0.1:1"'],
  [[...RUNNER, "--market", "127.0.0.1:1"], 'Bad --market "127.0.0.1:1"'],
  [["tail", "--endpoint", "foo"], 'Bad --endpoint "foo"'],
  [["bridge", "--telemetry", "ipc://"], 'Bad --telemetry "ipc://"'],

  [["market-data", "--feed", "kraken"], 'Bad --feed "kraken": expected live, sim or replay'],
  [["market-data", "--feed", "replay"], "--feed replay needs at least one --file"],
  [[...BINANCE, "--file", "x"], "--file goes with --feed replay"],
  [[...BINANCE, "--stay"], "--stay goes with --feed replay"],
  [[...REPLAY, "--url", "ws://127.0.0.1:1"], "--url does not go with --feed replay"],

  [["runner", "--strategy", "sma-crss"], 'Unknown strategy "sma-crss": expected sma-cross'],
  [["scanner", "--rule", "nope"], 'Unknown scanner rule "nope": expected momentum-rank'],
  [[...RUNNER, "--params", "fast"], 'Bad --params "fast": expected key=value'],
  [[...RUNNER, "--params", "fast=x"], 'fast: expected number, found "x"'],
  [[...RUNNER, "--params", "fst=3"], 'no parameter "fst": did you mean "fast"?'],
  [[...RUNNER, "--params", "fast=30,slow=20"], "fast must be below slow"],
  [[...RUNNER, "--name", "a b"], 'Bad node name "a b": expected 1 to 48 letters'],
  [[...RUNNER, "--name", "../x"], 'Bad node name "../x"'],
  [[...RUNNER, "--name", "market-data"], 'Bad --name "market-data" for a runner: that name belongs to another role'],
];

describe("A wrong command line is told in one line, exits with 64 and leaves nothing behind:", () => {
  for (const [words, message] of CASES) {
    test.concurrent(`fabric ${words.join(" ")}`, async () => {
      using folder = tempFolder();
      const done = await fabric(words, { cwd: folder.path });
      expectRefusal(done, 64, literally(message));
      expect(readdirSync(folder.path)).toEqual([]);
    });
  }

  test("fabric without a command shows on stderr what there is", async () => {
    const done = await fabric([]);
    expect([done.code, done.out]).toEqual([64, ""]);
    expect(done.err).toContain("fabric COMMAND --help");
  });
});

function literally(text: string): RegExp {
  return new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
}
