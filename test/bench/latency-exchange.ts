import { nowNs } from "./machine-clock.ts";

// A tiny exchange for latency.ts: Binance's trade streams and just enough of its REST. Its minutes last PERIOD_MS of wall time; the
// first trade of each is late enough to close the minute before it, and the moment it is sent is told on stdout, one line a minute:
// `closed-minute's-openTime sent-ns`. latency-exchange.ts MINUTES SYMBOL,…
const [, , minutesText, symbolsText = ""] = process.argv;
const minutes = Number(minutesText);
const symbols = symbolsText.split(",");

const PERIOD_MS = 300;
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2025, 0, 1);
const TRADES_A_MINUTE = 40;
/** Past the lateness allowance of 500 ms, so that this trade's arrival is what closes the minute. */
const FIRST_OFFSET_MS = 600;

let newestMs = START_MS;
let playing = false;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, self) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/stream") return self.upgrade(request) ? undefined : new Response(null, { status: 400 });
    if (pathname.endsWith("/time")) return Response.json({ serverTime: newestMs });
    if (pathname.endsWith("/exchangeInfo")) return Response.json({ symbols: symbols.map((symbol) => ({ symbol })) });
    return Response.json(klines(Number(searchParams.get("startTime")), Number(searchParams.get("endTime"))));
  },
  websocket: {
    message(socket, text) {
      const { method, id } = JSON.parse(String(text)) as { method: string; id: number };
      const streams = symbols.map((symbol) => `${symbol.toLowerCase()}@trade`);
      socket.send(JSON.stringify({ result: method === "SUBSCRIBE" ? null : streams, id }));
      if (method === "SUBSCRIBE" && !playing) void play((frame) => socket.send(frame));
    },
  },
});
console.log(server.port);

async function play(send: (frame: string) => void): Promise<void> {
  playing = true;
  let dueMs = performance.now() + PERIOD_MS;
  for (let minute = 0; minute <= minutes; minute++, dueMs += PERIOD_MS) {
    await Bun.sleep(Math.max(1, dueMs - performance.now()));
    const first = trade(symbols[0] ?? "", minute, 0);
    newestMs = timeOf(minute, 0);
    const sentNs = nowNs();
    send(first);
    console.log(`${START_MS + (minute - 1) * MINUTE_MS} ${sentNs}`);
    // The rest of the minute comes when the close before it is long done.
    await Bun.sleep(PERIOD_MS / 2);
    for (let place = 0; place < TRADES_A_MINUTE; place++) {
      for (const symbol of symbols) if (place > 0 || symbol !== symbols[0]) send(trade(symbol, minute, place));
      newestMs = timeOf(minute, place);
    }
  }
  console.log("end");
}

function timeOf(minute: number, place: number): number {
  return START_MS + minute * MINUTE_MS + FIRST_OFFSET_MS + place * 1000;
}

function trade(symbol: string, minute: number, place: number): string {
  const time = timeOf(minute, place);
  const id = minute * TRADES_A_MINUTE + place + 1;
  const data = `{"e":"trade","E":${time},"s":"${symbol}","t":${id},"p":"100.${10 + (place % 7)}","q":"0.50","T":${time},"m":false,"M":true}`;
  return `{"stream":"${symbol.toLowerCase()}@trade","data":${data}}`;
}

/** Every minute trades alike. */
function klines(fromMs: number, throughMs: number): unknown[] {
  const rows: unknown[] = [];
  for (let open = Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS; open <= Math.min(throughMs, newestMs); open += MINUTE_MS) {
    rows.push([
      open,
      "100.10",
      "100.16",
      "100.10",
      "100.14",
      "20",
      open + MINUTE_MS - 1,
      "2002.5",
      TRADES_A_MINUTE,
      "20",
      "2002.5",
      "0",
    ]);
  }
  return rows;
}
