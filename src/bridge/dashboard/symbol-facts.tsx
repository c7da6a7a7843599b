import { useEffect, useState } from "preact/hooks";
import { quoteAssetOf } from "../../core/symbol.ts";
import type { Rail } from "../../core/wire.ts";
import { fetchGaps, gapsTold, nextGapsLookMs, type RecordedGap } from "./api.ts";
import { formatDateMinute, formatDecimalPrice, formatMoment, formatQuantity } from "./format.ts";
import { model, now, resyncs, revision } from "./live.ts";
import { Age, Badge, Command, isStale, ModeBadge, Pnl, Scroll, Side, staleClass } from "./parts.tsx";
import { precisionOf } from "./precision.ts";
import { zone } from "./settings.ts";

export const RAIL_TONES: Readonly<Record<Rail, string>> = { FAST: "good", FALLBACK: "warn", STALE: "bad" };

const MAX_FILLS = 8;

/** What nodes know of one symbol, beside its chart. */
export function SymbolFacts({ symbol }: { readonly symbol: string }) {
  void revision.value;
  return (
    <aside class="panel facts" aria-label={`What is known of ${symbol}`}>
      <Holdings symbol={symbol} />
      <Rails symbol={symbol} />
      <Fills symbol={symbol} />
      <Gaps symbol={symbol} />
    </aside>
  );
}

function Holdings({ symbol }: { readonly symbol: string }) {
  const precision = precisionOf(model, symbol);
  const rows = model.runners().flatMap(({ name, positions }) => {
    const row = positions?.positions.find((held) => held.symbol === symbol);
    return positions && row ? [{ name, row, mode: positions.mode, at: positions.receivedAt }] : [];
  });
  return (
    <section>
      <h3>Positions</h3>
      {rows.length === 0 && <p class="quiet">No runner holds or has held it.</p>}
      {rows.map(({ name, row, mode, at }) => (
        <div key={name} class={`fact ${staleClass(at)}`}>
          <div class="fact-line">
            <ModeBadge mode={mode} />
            <b class="ellipsis">{name}</b>
            <span class="push">
              <Age ms={now.value - at} />
            </span>
          </div>
          <dl class="pairs num">
            <dt>Quantity</dt>
            <dd>{Number(row.quantity) === 0 ? "flat" : formatQuantity(row.quantity, precision.quantity)}</dd>
            <dt>Entry</dt>
            <dd>{formatDecimalPrice(row.averagePrice, precision.price)}</dd>
            <dt>Open PnL</dt>
            <dd>
              <Pnl value={row.unrealisedPnl} quote={quoteAssetOf(symbol)} />
            </dd>
            <dt>Realised</dt>
            <dd>
              <Pnl value={row.realisedPnl} quote={quoteAssetOf(symbol)} />
            </dd>
          </dl>
        </div>
      ))}
    </section>
  );
}

function Rails({ symbol }: { readonly symbol: string }) {
  const rows = model.sortedNodes().flatMap(({ name, metrics }) => {
    const rail = metrics?.rails.find((found) => found.symbol === symbol);
    return metrics && rail ? [{ name, rail, at: metrics.receivedAt }] : [];
  });
  return (
    <section>
      <h3>Who gets its candles</h3>
      {rows.length === 0 && <p class="quiet">No runner and no scanner.</p>}
      {rows.map(({ name, rail, at }) => (
        <div key={name} class={`fact ${staleClass(at)}`} title={rail.reason}>
          <div class="fact-line">
            <span class="ellipsis">{name}</span>
            <span class="push" />
            <Badge tone={isStale(at) ? "stale" : RAIL_TONES[rail.rail]}>{rail.rail}</Badge>
            <Age ms={rail.ageMs + now.value - at} limitMs={rail.rail === "FAST" && !isStale(at) ? Infinity : 0} />
          </div>
          {rail.rail !== "FAST" && <p class="reason">{rail.reason}</p>}
        </div>
      ))}
    </section>
  );
}

function Fills({ symbol }: { readonly symbol: string }) {
  void revision.value;
  const precision = precisionOf(model, symbol);
  const fills = model
    .runners()
    .flatMap(({ name, positions }) => (positions?.fills ?? []).map((fill) => ({ ...fill, runner: name })))
    .filter((fill) => fill.symbol === symbol)
    .sort((a, b) => b.openTime - a.openTime)
    .slice(0, MAX_FILLS);
  return (
    <section>
      <h3>Newest fills</h3>
      {fills.length === 0 && <p class="quiet">None yet.</p>}
      <ul class="fills num">
        {fills.map((fill) => (
          <li key={`${fill.runner} ${fill.clientOrderId} ${fill.at} ${fill.quantity}`} title={fill.runner}>
            <time class="dim">{formatMoment(fill.at ?? fill.openTime, model.marketTime, zone.value)}</time>
            <Side side={fill.side} />
            <span>{formatQuantity(fill.quantity, precision.quantity)}</span>
            <span class="push">{formatDecimalPrice(fill.price, precision.price)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Gaps({ symbol }: { readonly symbol: string }) {
  const [gaps, setGaps] = useState<readonly RecordedGap[] | string | null>(null);
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      const answer = await fetchGaps(symbol);
      if (over) return;
      setGaps(gapsTold(answer));
      timer = setTimeout(look, nextGapsLookMs(answer));
    };
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [symbol, resyncs.value]);
  return (
    <section>
      <h3>Recorded gaps</h3>
      {gaps === null && <p class="quiet">Reading them from the store …</p>}
      {typeof gaps === "string" && (
        <div class="quiet">
          <p>{gaps}.</p>
          <Command text="fabric doctor" />
        </div>
      )}
      {gaps !== null && gaps.length === 0 && <p class="quiet">None: every minute was had.</p>}
      {typeof gaps !== "string" && gaps !== null && gaps.length > 0 && (
        <Scroll label={`Recorded gaps of ${symbol}`} class="gaps">
          <ul>
            {gaps.map((gap) => (
              <li key={gap.gapSeq}>
                <span class="num">{stretch(gap)}</span>
                <p class="reason">{gap.reason}</p>
              </li>
            ))}
          </ul>
        </Scroll>
      )}
    </section>
  );
}

function stretch({ fromOpenTime, toOpenTime }: RecordedGap): string {
  const from = formatDateMinute(fromOpenTime, zone.value);
  if (fromOpenTime === toOpenTime) return from;
  const to = formatDateMinute(toOpenTime, zone.value);
  return `${from} – ${to.slice(0, 10) === from.slice(0, 10) ? to.slice(11) : to}`;
}
