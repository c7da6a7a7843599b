import { useEffect } from "preact/hooks";
import uPlot from "uplot";
import { css } from "./chart-colours.ts";
import { model, revision } from "./live.ts";
import type { Figure } from "./metric-history.ts";
import { useOnSight } from "./parts.tsx";
import { theme } from "./settings.ts";

const HEIGHT = 44;

/** One figure of a node over the last minutes. Drawn only while it is in sight: a fabric may have hundreds of nodes. */
export function SmallGraph(props: {
  readonly node: string;
  readonly figure: Figure;
  readonly title: string;
  readonly value: string;
}) {
  const { node, figure } = props;
  const box = useOnSight<HTMLDivElement>((element) => drawIn(element, node, figure), [node, figure, theme.value]);
  const isKnown = (model.history.get(node)?.times.length ?? 0) > 1;
  useEffect(() => {
    box.current?.dispatchEvent(new Event("fabric-points"));
  }, [revision.value]);
  return (
    <figure class="graph">
      <figcaption>
        <span class="dim">{props.title}</span> <b class="num">{props.value}</b>
      </figcaption>
      <div class={`graph-box ${isKnown ? "" : "graph-empty"}`} ref={box} aria-hidden="true" />
    </figure>
  );
}

function drawIn(box: HTMLElement, node: string, figure: Figure): () => void {
  const points = (): uPlot.AlignedData => {
    const history = model.history.get(node);
    return history ? [history.times, history.values[figure]] : [[], []];
  };
  const plot = new uPlot(
    {
      width: Math.max(40, box.clientWidth),
      height: HEIGHT,
      padding: [4, 0, 2, 0],
      cursor: { show: false },
      legend: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      axes: [{ show: false }, { show: false }],
      scales: { x: { time: true }, y: { range: (_plot, _low, high) => [0, Math.max(high ?? 0, 1e-9) * 1.1] } },
      series: [{}, { stroke: css("--blue"), fill: css("--wait-bg"), width: 1.5, points: { show: false } }],
    },
    points(),
    box,
  );
  let drawn = -1;
  const refresh = () => {
    const data = points();
    const newest = data[0].at(-1) ?? 0;
    if (newest === drawn) return;
    drawn = newest;
    plot.setData(data);
  };
  const resize = new ResizeObserver(() => plot.setSize({ width: Math.max(40, box.clientWidth), height: HEIGHT }));
  resize.observe(box);
  box.addEventListener("fabric-points", refresh);
  return () => {
    resize.disconnect();
    box.removeEventListener("fabric-points", refresh);
    plot.destroy();
  };
}
