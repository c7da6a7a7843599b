/**
 * Sends every client the same trades of one frame shape, as fast as it takes them: `bun test/bench/websocket-server.ts SHAPE FRAMES
 * SYMBOLS`. Recorded prices and quantities (MARKET_RECORDINGS) in turn, ids that count on per symbol, spread over symbols by chance and
 * over exchange time evenly. Says its port on stdout.
 */
import { SPOT } from "../feed/support.ts";
import { recordedTrades, SHAPES, spreadTrades } from "./venue-shapes.ts";

const [shapeAt = 0, frames = 0, symbols = 0] = process.argv.slice(2).map(Number);
/** Frames that go out in one write; about what one read of the other side takes. */
const CORKED = 200;
const shape = SHAPES[shapeAt];
if (shape === undefined) throw new Error(`There are ${SHAPES.length} shapes, and none at ${shapeAt}`);

const texts: string[] = [];
for (const trade of spreadTrades(recordedTrades(`${SPOT}/spot_btcusdt.trades.ws.txt.gz`), frames, symbols, shape))
  texts.push(Buffer.from(shape.write(trade)).toString());

interface Place {
  at: number;
}

function sendOn(ws: Bun.ServerWebSocket<Place>): void {
  const place = ws.data;
  for (let full = false; !full && place.at < texts.length; ) {
    ws.cork(() => {
      const end = Math.min(texts.length, place.at + CORKED);
      // Below zero: kept for later, because the client has not taken what went before.
      while (place.at < end) if (ws.sendText(texts[place.at++] ?? "") < 0) full = true;
    });
  }
}

const server = Bun.serve<Place>({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, self) =>
    self.upgrade(request, { data: { at: 0 } }) ? undefined : new Response("a WebSocket is wanted", { status: 426 }),
  websocket: {
    open: sendOn,
    drain: sendOn,
    message: () => undefined,
    perMessageDeflate: false,
  },
});
console.log(server.port);
