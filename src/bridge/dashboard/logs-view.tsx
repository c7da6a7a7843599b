import { signal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { formatDateTime, formatTime } from "./format.ts";
import { model, revision } from "./live.ts";
import { filterLog, LOG_LEVELS, type LogFilter, type LogLine, rowsInSight } from "./log-store.ts";
import { CopyButton, Empty, Panel, Scroll } from "./parts.tsx";
import { type Zone, zone } from "./settings.ts";

const filter = signal<LogFilter>({ level: "info", node: null, text: "" });
/** What was there when it was paused; null while it runs. */
const paused = signal<readonly LogLine[] | null>(null);
const picked = signal<LogLine | null>(null);

/** Until the list is measured. */
const FIRST_LOOK = { top: 0, height: 600, row: 21 };

interface Filtered {
  readonly source: readonly LogLine[];
  readonly version: number;
  readonly filter: LogFilter;
  readonly lines: readonly LogLine[];
}

/** All nodes' lines, live, with what is asked for. */
export function LogsView() {
  void revision.value;
  const memo = useRef<Filtered | null>(null);
  const source = paused.value ?? model.logs.lines;
  const version = paused.value ? 0 : model.logs.version;
  const last = memo.current;
  if (last?.source !== source || last.version !== version || last.filter !== filter.value) {
    memo.current = { source, version, filter: filter.value, lines: filterLog(source, filter.value) };
  }
  const lines = memo.current?.lines ?? [];
  return (
    <Panel
      name="logs"
      title="Log"
      meta={
        <span class="num">
          {lines.length.toLocaleString("en-US")} of {source.length.toLocaleString("en-US")} lines
        </span>
      }
    >
      <Filters lines={lines} />
      {lines.length === 0 ? (
        <Empty run={source.length === 0 ? "fabric up" : undefined}>
          {source.length === 0
            ? "No node has logged anything yet. Is one running?"
            : "No line fits the filter: choose a lower level, another node, or another text."}
        </Empty>
      ) : (
        <Lines lines={lines} zone={zone.value} />
      )}
      {picked.value && <Detail line={picked.value} />}
    </Panel>
  );
}

function Filters({ lines }: { readonly lines: readonly LogLine[] }) {
  const { level, node, text } = filter.value;
  const names = model.sortedNodes().map(({ name }) => name);
  const change = (next: Partial<LogFilter>) => {
    filter.value = { ...filter.value, ...next };
  };
  return (
    <div class="toolbar">
      <label class="field">
        <span class="field-name">From</span>
        <select
          value={level}
          onChange={(event) =>
            change({ level: LOG_LEVELS.find((name) => name === event.currentTarget.value) ?? "info" })
          }
        >
          {LOG_LEVELS.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span class="field-name">Node</span>
        <select value={node ?? ""} onChange={(event) => change({ node: event.currentTarget.value || null })}>
          <option value="">all</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <input
        data-search
        type="search"
        aria-label="Filter the log by text"
        placeholder="Filter  /"
        value={text}
        onInput={(event) => change({ text: event.currentTarget.value })}
      />
      <span class="push" />
      <PauseButton />
      <CopyButton label="Copy the lines shown" text={() => lines.map((line) => lineText(line, zone.value)).join("\n")}>
        Copy
      </CopyButton>
    </div>
  );
}

function PauseButton() {
  // What waits grows in the model, which no property of ours tells.
  void revision.value;
  const held = paused.value;
  const waiting = held ? waitingAfter(held) : 0;
  return (
    <button
      type="button"
      class={`button button-small ${held ? "button-on" : ""}`}
      onClick={() => {
        paused.value = held ? null : [...model.logs.lines];
      }}
    >
      {held ? `Resume · ${waiting.toLocaleString("en-US")} waiting` : "Pause"}
    </button>
  );
}

/** Lines that came since: after the last one held, by time. */
function waitingAfter(held: readonly LogLine[]): number {
  const last = held.at(-1);
  const lines = model.logs.lines;
  if (!last) return lines.length;
  const at = lines.lastIndexOf(last);
  return at < 0 ? lines.length : lines.length - at - 1;
}

/** Draws the lines in sight alone; follows the end unless scrolled away from it. */
function Lines({ lines, zone }: { readonly lines: readonly LogLine[]; readonly zone: Zone }) {
  const list = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const [view, setView] = useState(FIRST_LOOK);

  const look = () => {
    const box = list.current;
    if (!box) return;
    setView((old) => {
      const next = { ...old, top: box.scrollTop, height: box.clientHeight };
      return next.top === old.top && next.height === old.height ? old : next;
    });
  };
  useLayoutEffect(() => {
    if (follows.current && paused.value === null && list.current) list.current.scrollTop = list.current.scrollHeight;
    look();
  }, [lines]);
  useLayoutEffect(() => {
    const measure = () => {
      const row = list.current ? Number.parseFloat(getComputedStyle(list.current).getPropertyValue("--row")) : 0;
      if (row > 0) setView((old) => (old.row === row ? old : { ...old, row }));
      look();
    };
    measure();
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, []);

  const { from, to } = rowsInSight(lines.length, view);
  return (
    <div
      class="log"
      ref={list}
      role="log"
      aria-live="off"
      aria-label="Log lines"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: box }) => {
        follows.current = box.scrollHeight - box.scrollTop - box.clientHeight < view.row;
        look();
      }}
    >
      <div class="log-length" style={{ height: `${lines.length * view.row}px` }}>
        <div class="log-window" style={{ transform: `translateY(${from * view.row}px)` }}>
          {lines.slice(from, to).map((line, i) => (
            // By place, not by line: scrolling writes other words into the rows there are.
            <Line key={`${i}`} line={line} zone={zone} picked={line === picked.value} />
          ))}
        </div>
      </div>
    </div>
  );
}

function Line({
  line,
  zone,
  picked: isPicked,
}: {
  readonly line: LogLine;
  readonly zone: Zone;
  readonly picked: boolean;
}) {
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the whole line is also in the copy
    // biome-ignore lint/a11y/useKeyWithClickEvents: as above
    <div
      class={`line level-${line.level} ${isPicked ? "line-picked" : ""}`}
      onClick={() => {
        picked.value = isPicked ? null : line;
      }}
    >
      <time class="num line-time" title={formatDateTime(line.at, zone)}>
        {formatTime(line.at, zone)}
      </time>
      <span class="line-level">{line.level}</span>
      <span class="line-node">{line.node}</span>
      <span class="line-text">{line.message}</span>
    </div>
  );
}

/** One line in full. */
function Detail({ line }: { readonly line: LogLine }) {
  return (
    <div class="detail">
      <Scroll label="The line in full" class="detail-text">
        {lineText(line, zone.value)}
      </Scroll>
      <CopyButton label="Copy the line" text={() => lineText(line, zone.value)} />
      <button
        type="button"
        class="button button-small"
        onClick={() => {
          picked.value = null;
        }}
      >
        Close
      </button>
    </div>
  );
}

function lineText(line: LogLine, zone: Zone): string {
  const zoneName = zone === "utc" ? "Z" : "";
  return `${formatDateTime(line.at, zone)}${zoneName} ${line.level.padEnd(5)} ${line.node} ${line.message}`;
}
