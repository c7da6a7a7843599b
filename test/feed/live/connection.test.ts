import { describe, expect, test } from "bun:test";
import type { Venue } from "../../../src/feed/venues/contract.ts";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { connectTo, ScriptedVenue, START } from "./scripted-venue.ts";

function symbolsOf(venue: Venue, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => venue.symbolOf({ base: `COIN${at}`, quote: "USDT" }));
}

/** A refusal of a subscription, for asking too much, as the venue words it. */
function tooMany(venue: Venue, symbol: string): string {
  switch (venue.id) {
    case "coinbase":
      return '{"type":"error","message":"rate limit exceeded"}';
    case "kraken":
      return JSON.stringify({ method: "subscribe", success: false, error: "Exceeded msg rate", symbol, req_id: 1 });
    case "bybit":
      return '{"success":false,"ret_msg":"Too many visits!","conn_id":"x","req_id":"1","op":"subscribe"}';
    case "okx":
      return '{"event":"error","code":"60014","msg":"Requests too frequent","connId":"x"}';
    default:
      return '{"error":{"code":3,"msg":"Too many requests"},"id":1}';
  }
}

for (const venue of VENUES) {
  describe(`A connection to ${venue.title}`, () => {
    test("subscribes all symbols in batches within the venue's limits, spaced, and says so once", async () => {
      const script = new ScriptedVenue(venue);
      const symbols = symbolsOf(venue, 450);
      const { connection, told } = connectTo(script, symbols);
      await script.time.moveTo(60_000);
      expect(told).toEqual(["connected"]);
      expect([...(script.sockets[0]?.symbols ?? [])]).toEqual([...symbols]);
      const sent = script.sockets[0]?.sent ?? [];
      const { messagesPerSecond } = venue.limits;
      for (const { at } of sent) {
        const within = sent.filter((other) => other.at >= at && other.at < at + 1000);
        expect(within.length).toBeLessThanOrEqual(messagesPerSecond);
      }
      connection.stop();
      expect(told.at(-1)).toBe("interrupted: stopped");
    });

    for (const names of [true, false]) {
      test(`leaves out a symbol that is refused ${names ? "by name" : "without a name"}, and goes on with the others`, async () => {
        const script = new ScriptedVenue(venue);
        const symbols = symbolsOf(venue, 30);
        script.names = names;
        const bad = [symbols[3] ?? "", symbols[17] ?? ""];
        for (const symbol of bad) script.refused.add(symbol);
        const { connection, told, refused } = connectTo(script, symbols);
        await script.time.moveTo(120_000);
        expect(refused.toSorted()).toEqual(bad.toSorted());
        expect(told).toEqual(["connected"]);
        expect(connection.symbols).toEqual(symbols.filter((symbol) => !bad.includes(symbol)));
        expect([...(script.sockets[0]?.symbols ?? [])].toSorted()).toEqual(connection.symbols.toSorted());
        connection.stop();
      });
    }

    test("ends, asking no more, where every symbol is refused", async () => {
      const script = new ScriptedVenue(venue);
      const symbols = symbolsOf(venue, 4);
      for (const symbol of symbols) script.refused.add(symbol);
      const { connection, refused, told } = connectTo(script, symbols);
      await script.time.moveTo(60_000);
      expect([refused.toSorted(), connection.symbols, told]).toEqual([symbols.toSorted(), [], []]);
      expect(script.sockets.map(({ closed }) => closed)).toEqual([true]);
    });

    test("keeps every symbol where the venue refuses for a reason that passes, and asks again with growing delays", async () => {
      const script = new ScriptedVenue(venue);
      const symbols = symbolsOf(venue, 4);
      script.answers = false;
      const { connection, told, refused, retries } = connectTo(script, symbols);
      let busy = 0;
      for (let at = 20; busy < 4; at += 20) {
        await script.time.moveTo(at);
        if (script.sockets.length === busy || script.sockets.at(-1)?.sent.length === 0) continue;
        script.sockets[busy++]?.tell(tooMany(venue, symbols[0] ?? ""));
        await script.time.moveTo(at + 1);
      }
      expect([refused, retries]).toEqual([[], [187.5, 375, 750, 1500]]);
      script.answers = true;
      await script.time.moveTo(60_000);
      expect([refused, told]).toEqual([[], ["connected"]]);
      expect([...(script.sockets.at(-1)?.symbols ?? [])]).toEqual([...symbols]);
      connection.stop();
    });

    test("gives a venue up that does not answer within 5 s, and comes back with growing delays", async () => {
      const script = new ScriptedVenue(venue);
      script.answers = false;
      const { connection, retries, told } = connectTo(script, symbolsOf(venue, 3));
      await script.time.moveTo(5200);
      expect(retries.length).toBe(1);
      await script.time.moveTo(120_000);
      expect(told).toEqual([]);
      // Chance takes a quarter off here, always.
      expect(retries.slice(0, 8)).toEqual([187.5, 375, 750, 1500, 3000, 6000, 7500, 7500]);
      script.answers = true;
      await script.time.moveTo(140_000);
      expect(told).toEqual(["connected"]);
      connection.stop();
    });

    test("leaves a connection on which probes are not answered any more, heartbeats or not", async () => {
      const script = new ScriptedVenue(venue);
      const { connection, told } = connectTo(script, symbolsOf(venue, 3));
      await script.time.moveTo(10_000);
      script.pongs = false;
      script.time.timers.every(1000, () => {
        if (venue.id === "kraken" || venue.id === "coinbase") script.heartbeat(script.sockets.at(-1) as never);
      });
      await script.time.moveTo(100_000);
      expect(told.slice(0, 2)).toEqual(["connected", "interrupted: the venue does not answer"]);
      connection.stop();
    });

    test("finds a feed that heartbeats on and tells no trade, and leaves a quiet one alone", async () => {
      for (const isDead of [true, false]) {
        const script = new ScriptedVenue(venue);
        let deadSince = Number.POSITIVE_INFINITY;
        const newest = () => {
          if (script.time.now <= 30_000) return null;
          return START + (isDead && script.time.now > deadSince + 3000 ? deadSince + 3000 : 30_000);
        };
        const { connection, told } = connectTo(script, symbolsOf(venue, 3), newest);
        await script.time.moveTo(30_000);
        script.trade(script.sockets[0] as never, 1, START + 30_000);
        script.trade(script.sockets[0] as never, 2, START + 30_000);
        deadSince = script.time.now;
        script.time.timers.every(1000, () => script.heartbeat(script.sockets.at(-1) as never));
        await script.time.moveTo(deadSince + 22_000);
        if (isDead)
          expect(told[1]).toMatch(/^interrupted: the feed is dead: COIN\d.* traded at .* and it did not come$/);
        else expect(told).toEqual(["connected"]);
        connection.stop();
      }
    });
  });
}

describe("A connection that is about to be closed", () => {
  const closings = [
    ["binance-spot", `{"e":"serverShutdown","E":${START}}`],
    ["okx", '{"event":"notice","code":"64008","msg":"The connection will soon be closed","connId":"x"}'],
  ] as const;
  for (const [id, notice] of closings) {
    test(`${id}: is replaced before that, without an interruption, and both are heard meanwhile`, async () => {
      const script = new ScriptedVenue(VENUES.find((one) => one.id === id) as Venue);
      const { connection, told, trades } = connectTo(script, symbolsOf(script.venue, 3));
      await script.time.moveTo(1000);
      const [old] = script.sockets;
      if (old === undefined) throw new Error("no socket");
      script.trade(old, 6, START + 900);
      script.trade(old, 7, START + 1000);
      old.tell(notice);
      let next = 8;
      const feed = script.time.timers.every(40, () => {
        for (const socket of script.sockets) script.trade(socket, next, START + script.time.now);
        next++;
      });
      await script.time.moveTo(6000);
      feed.cancel();
      expect(told).toEqual(["connected", "replaced"]);
      expect(script.sockets.map(({ closed }) => closed)).toEqual([true, false]);
      const [symbol = ""] = connection.symbols;
      const ids = new Set(trades.filter((trade) => trade.symbol === symbol).map((trade) => trade.id));
      for (let want = 7; want < next - 1; want++) expect(ids.has(want)).toBe(true);
      connection.stop();
    });
  }

  test("because of its age, too: 10 to 20 minutes before the venue's 24 hours", async () => {
    const script = new ScriptedVenue(VENUES[0] as Venue);
    const { connection, told } = connectTo(script, symbolsOf(script.venue, 2));
    await script.time.moveTo(1000);
    // Minutes pass in one step each: a day of ticks proves no more.
    const feed = script.time.timers.every(5000, () => {
      for (const socket of script.sockets) script.trade(socket, script.time.now, START + script.time.now);
    });
    await script.time.moveTo(23 * 3_600_000 + 39 * 60_000);
    expect([told, script.sockets.length]).toEqual([["connected"], 1]);
    await script.time.moveTo(23 * 3_600_000 + 51 * 60_000);
    expect(told).toEqual(["connected", "replaced"]);
    feed.cancel();
    connection.stop();
  }, 60_000);

  test("and closes before the new one has taken over is told as an interruption, and the new one goes on", async () => {
    const script = new ScriptedVenue(VENUES[0] as Venue);
    const { connection, told } = connectTo(script, symbolsOf(script.venue, 2));
    await script.time.moveTo(1000);
    script.sockets[0]?.tell(`{"e":"serverShutdown","E":${START}}`);
    script.pongs = false;
    await script.time.moveTo(2200);
    expect(script.sockets.length).toBe(2);
    script.sockets[0]?.handlers.onClose("gone");
    await script.time.moveTo(3000);
    expect(told).toEqual(["connected", "interrupted: gone", "connected"]);
    connection.stop();
  });
});

test("Coinbase's messages are numbered: a jump is told as a loss, heartbeats and answers counted in", async () => {
  const script = new ScriptedVenue(VENUES.find(({ id }) => id === "coinbase") as Venue);
  const { connection, told } = connectTo(script, ["BTC-USD"]);
  await script.time.moveTo(2000);
  const [socket] = script.sockets;
  if (socket === undefined) throw new Error("no socket");
  script.trade(socket, 1, START + 2000);
  script.heartbeat(socket);
  script.trade(socket, 2, START + 2001);
  expect(told).toEqual(["connected"]);
  socket.sequence += 2;
  script.trade(socket, 5, START + 2002);
  expect(told).toEqual([
    "connected",
    expect.stringMatching(/^lost: the venue's messages jump from number \d+ to \d+$/),
  ]);
  connection.stop();
});
