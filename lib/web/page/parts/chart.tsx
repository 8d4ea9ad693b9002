/// <reference lib="dom" />
// A chart with its axes, and the same numbers as a table. Painted by uPlot in the colours of the style.

import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { type ChartData, formatValue, stepsOf, topsOf } from "../chart_data.ts";
import { truncate } from "../../../text/width.ts";
import { useTheme } from "../theme.ts";

const HEIGHT = 220;

/** A chart. */
export function Chart({ data, heading }: { data: ChartData; heading: string }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const title = useId();
  const { dark } = useTheme();
  const [at, setAt] = useState<number | null>(null);
  useEffect(() => paint(box.current!, data, setAt), [data, dark]);
  const { labels, series, unit } = data;
  const isEmpty = series.every(({ values }) => values.every((value) => !value));
  return (
    <figure class="chart" aria-labelledby={title}>
      <figcaption>
        <strong id={title}>{data.title}</strong> <span class="muted">{data.about}</span>
      </figcaption>
      <p class="legend" aria-hidden="true">
        {series.map(({ name, values, colour }) => (
          <span key={name}>
            <i class={`swatch swatch${colour}`} />
            {name}
            {at !== null && <b class="number">{say(values[at], unit)}</b>}
          </span>
        ))}
        {at !== null && <span class="muted">{labels[at]}</span>}
      </p>
      <div ref={box} class="plot" aria-hidden="true" hidden={isEmpty} />
      {isEmpty && <p class="muted nothing">Nothing was told of it in this time.</p>}
      <details>
        <summary>
          {data.title} as a table
        </summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={`${data.title} as a table`}>
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">{heading}</th>
                {series.map(({ name }) => <th key={name} scope="col">{name}</th>)}
              </tr>
            </thead>
            <tbody>
              {labels.map((label, index) => (
                <tr key={index}>
                  <th scope="row">{label}</th>
                  {series.map(({ name, values }) => <td key={name}>{say(values[index], unit)}</td>)}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

function say(value: number | null | undefined, unit: ChartData["unit"]): string {
  return value === null || value === undefined ? "–" : formatValue(value, unit);
}

/** The colour that a name of the style stands for here and now. */
function colourOf(box: HTMLElement, name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Paints a chart as wide as its box; returns how to take it away. */
function paint(
  box: HTMLElement,
  data: ChartData,
  onHover: (at: number | null) => void,
): () => void {
  const { labels, series, unit } = data;
  const colour = (name: string) => colourOf(box, name);
  const [text, line] = [colour("--muted"), colour("--line")];
  const font = `12px ${getComputedStyle(box).fontFamily}`;
  const axis = { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line } };
  const tops = topsOf(data);
  const chart = new uPlot(
    {
      width: Math.max(200, box.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: () => [-0.6, labels.length - 0.4] },
        y: { range: (_, __, most) => [0, most > 0 ? most * 1.05 : 1] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          grid: { show: false },
          ...data.every
            // Each has its name, cut where there is no room for all of it.
            ? {
              incrs: [1],
              space: 1,
              values: (chart, places) => {
                const room = Math.floor(chart.width / (labels.length + 1) / 7);
                return places.map((place) => truncate(labels[place] ?? "", room));
              },
            }
            : {
              incrs: [1, 2, 5, 7, 10, 14, 20, 30, 50, 100, 200, 500],
              space: 50,
              values: (_, places) => places.map((place) => labels[place] ?? ""),
            },
        },
        {
          ...axis,
          incrs: stepsOf(unit),
          size: 62,
          values: (_, values) => values.map((value) => formatValue(value, unit)),
        },
      ],
      // The last on top is painted first, so that those below it are seen before it.
      series: [
        {},
        ...series.map(({ name, colour: named }) => ({
          label: name,
          stroke: colour(named),
          fill: colour(named),
          width: 0,
          points: { show: false },
          paths: uPlot.paths.bars!({ size: [0.7, 48] }),
        })).reverse(),
      ],
      hooks: {
        setCursor: [({ cursor }) => onHover(cursor.idx ?? null)],
      },
    },
    [labels.map((_, index) => index), ...tops.toReversed()],
    box,
  );
  const observer = new ResizeObserver(() => {
    const width = box.clientWidth;
    if (width > 0 && width !== chart.width) chart.setSize({ width, height: HEIGHT });
  });
  observer.observe(box);
  return () => {
    observer.disconnect();
    chart.destroy();
  };
}
