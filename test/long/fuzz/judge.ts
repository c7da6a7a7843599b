/**
 * What must hold of whatever the product accepts, said apart from the product's own checks and types: it reads raw JSON and the
 * domain's rules (README and the wire's contract), so that a rule forgotten there is missed here only if it is forgotten twice.
 */
type Json = Readonly<Record<string, unknown>>;

const SYMBOL = /^[A-Z0-9][A-Z0-9._/-]{0,39}$/;
const SOURCES = new Set(["complete", "empty", "backfilled", "imported", "partial"]);
const MINUTE = 60_000;
/** The year 2096: no candle and no clock of ours is later. */
const LATEST = 4_000_000_000_000;

/** What is wrong with a candle that was accepted; null where nothing is. */
export function candleWrong(candle: Json): string | null {
  const { symbol, openTime, open, high, low, close, volume, quoteVolume, trades } = candle;
  const { takerBuyVolume, takerBuyQuoteVolume, firstTradeId, lastTradeId, provenance } = candle;
  if (typeof symbol !== "string" || !SYMBOL.test(symbol)) return `symbol ${String(symbol).slice(0, 60)}`;
  if (!isMinute(openTime)) return `openTime ${openTime}`;
  for (const price of [open, high, low, close])
    if (!isNumber(price) || price <= 0) return `a price of ${String(price)}`;
  const [o, h, l, c] = [open, high, low, close] as [number, number, number, number];
  if (h < o || h < c || l > o || l > c) return `open ${o}, high ${h}, low ${l}, close ${c}`;
  for (const sum of [volume, quoteVolume, takerBuyVolume, takerBuyQuoteVolume])
    if (!isNumber(sum) || sum < 0) return `a sum of ${String(sum)}`;
  if (Number(takerBuyVolume) > Number(volume)) return `takers bought ${takerBuyVolume} of ${volume}`;
  if (Number(takerBuyQuoteVolume) > Number(quoteVolume))
    return `takers bought for ${takerBuyQuoteVolume} of ${quoteVolume}`;
  if (!isCount(trades)) return `${String(trades)} trades`;
  const ids = [firstTradeId, lastTradeId];
  const noIds = ids.every((id) => id === null);
  if (!noIds && !(ids.every(isCount) && Number(firstTradeId) <= Number(lastTradeId))) return `trade ids ${ids}`;
  if (!SOURCES.has(String(provenance))) return `provenance ${String(provenance)}`;
  return null;
}

/** The same for a candle's whole body on the wire, with the topic it came under. */
export function candleBodyWrong(topic: string, body: Json): string | null {
  const wrong = envelopeWrong(body) ?? candleWrong(body);
  if (wrong !== null) return wrong;
  if (topic !== `market.candle.1m.${body.symbol}`) return `topic ${topic.slice(0, 80)} for ${body.symbol}`;
  if (body.closeTime !== Number(body.openTime) + 59_999) return `closeTime ${body.closeTime}`;
  if (!isCount(body.commitSeq) || body.commitSeq === 0) return `commitSeq ${body.commitSeq}`;
  if (body.prevOpenTime !== null && !isMinute(body.prevOpenTime)) return `prevOpenTime ${body.prevOpenTime}`;
  return isText(body.storeId) ? null : `storeId ${String(body.storeId).slice(0, 60)}`;
}

export function heartbeatWrong(body: Json): string | null {
  const wrong = envelopeWrong(body);
  if (wrong !== null) return wrong;
  const { storeId, commitSeq, closedThrough, exchangeTime, speed } = body;
  if (!isText(storeId)) return `storeId ${String(storeId).slice(0, 60)}`;
  if (!isCount(commitSeq)) return `commitSeq ${commitSeq}`;
  if (closedThrough !== null && !isMinute(closedThrough)) return `closedThrough ${closedThrough}`;
  if (exchangeTime !== null && !isTime(exchangeTime)) return `exchangeTime ${exchangeTime}`;
  return isNumber(speed) && speed >= 0 ? null : `speed ${speed}`;
}

function envelopeWrong(body: Json): string | null {
  if (body.v !== 1) return `v ${String(body.v)}`;
  if (!isText(body.node) || !isText(body.epoch)) return "node or epoch";
  if (!isCount(body.seq)) return `seq ${body.seq}`;
  return isNumber(body.sentAt) ? null : `sentAt ${body.sentAt}`;
}

/** What is wrong with a trade that was accepted out of a venue's frame, whose JSON is `data`. */
export function tradeWrong(trade: Json, data: Json): string | null {
  const { symbol, id, lastId, price, quantity, timeMs, buyerIsMaker } = trade;
  if (typeof symbol !== "string" || !SYMBOL.test(symbol) || symbol !== data.s) return `symbol ${symbol}`;
  const aggregate = data.e === "aggTrade";
  if (!isCount(id) || id !== (aggregate ? data.f : data.t)) return `id ${id}`;
  if (aggregate ? !isCount(lastId) || Number(lastId) < Number(id) : lastId !== undefined) return `last id ${lastId}`;
  for (const [decimal, sent] of [
    [price, data.p],
    [quantity, data.q],
  ]) {
    const sound = typeof decimal === "string" && /^[0-9]{1,40}(\.[0-9]{1,39})?$/.test(decimal) && decimal.length <= 40;
    if (!sound || decimal !== sent || Number(decimal) === 0) return `a decimal of ${String(decimal).slice(0, 60)}`;
  }
  if (!isTime(timeMs) || Number(timeMs) < 1_230_768_000_000 || timeMs !== data.T) return `time ${timeMs}`;
  return typeof buyerIsMaker === "boolean" && buyerIsMaker === data.m ? null : `buyerIsMaker ${buyerIsMaker}`;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTime(value: unknown): value is number {
  return isNumber(value) && value >= 0 && value <= LATEST;
}

function isMinute(value: unknown): value is number {
  return isTime(value) && Number.isSafeInteger(value) && value % MINUTE === 0;
}

/** A name or an identity: something, and not a book. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= 64;
}
