import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { LogLevel } from "../../core/env.ts";
import { formatTime } from "./format.ts";
import { model, revision } from "./live.ts";
import { Empty, Panel } from "./parts.tsx";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];
const MAX_LINES = 300;
const leastLevel = signal<LogLevel>("info");

/** The newest lines of all nodes by time; follows the end unless scrolled away from it. */
export function LogsPanel() {
  void revision.value;
  const list = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const least = LEVELS.indexOf(leastLevel.value);
  const lines = model.logs.filter((line) => LEVELS.indexOf(line.level) >= least).slice(-MAX_LINES);

  useLayoutEffect(() => {
    if (follows.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  });
  return (
    <Panel
      name="logs"
      title="Log"
      meta={
        <label class="level-pick">
          from{" "}
          <select
            value={leastLevel.value}
            onChange={(event) => {
              leastLevel.value = LEVELS.find((level) => level === event.currentTarget.value) ?? "info";
            }}
          >
            {LEVELS.map((level) => (
              <option key={level} value={level}>
                {level}
              </option>
            ))}
          </select>
        </label>
      }
    >
      {lines.length === 0 ? (
        <Empty>Nothing has been logged at this level.</Empty>
      ) : (
        <div
          class="log"
          ref={list}
          role="log"
          onScroll={({ currentTarget: box }) => {
            follows.current = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
          }}
        >
          {lines.map((line) => (
            <div key={`${line.node} ${line.n}`} class={`line level-${line.level}`}>
              <time class="num line-time">{formatTime(line.at)}</time>
              <span class="line-level">{line.level}</span>
              <span class="line-node">{line.node}</span>
              <span class="line-text">{line.message}</span>
            </div>
          ))}
        </div>
      )}
    </Panel>
  );
}
