// How one strip of the chart looks: the mean as a pen line in the band between least and greatest.

import { dateWriter, formatTicks, shortened } from "./format.js";

const { uPlot } = window;
const root = document.documentElement;
const MINUTE = 60;
const DAY = 86400;

export function stripOptions({ figure, steps }, view, { onRead, onSelect }) {
  const [pen, ink, rule] = colours(figure, "--pen", "--ink-soft", "--rule-faint");
  const axis = {
    stroke: ink,
    font: "12px system-ui, sans-serif",
    grid: { stroke: rule, width: 1 },
    ticks: { show: false },
  };
  const rim = { stroke: null, points: { show: false } };
  return {
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), root.dataset.zone),
    padding: [8, 8, 0, 0],
    scales: {
      x: { time: true, range: () => [view.start, view.end] },
      y: { range: (plot, least, greatest) => withMargin(least, greatest) },
    },
    axes: [
      { ...axis, size: 24, gap: 6, space: 72, values: timeLabels },
      { ...axis, size: 60, gap: 6, space: 36, values: (plot, ticks) => formatTicks(ticks) },
    ],
    bands: [{ series: [1, 2], fill: fade(pen, 0.16) }],
    series: [
      {},
      rim,
      rim,
      {
        stroke: pen,
        width: 1.6,
        points: { size: 5, fill: pen, stroke: pen },
        ...(steps ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
      },
    ],
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: (plot, i) => (i === 3 ? 8 : 0), fill: pen, width: 0 },
      // Only the cursor is shared between the strips: zooming is done once, where it was asked for.
      sync: { key: "strips", filters: { sub: (type) => type === "mousemove" || type === "mouseleave" } },
    },
    hooks: { setCursor: [onRead], setSelect: [onSelect], draw: [(plot) => drawLimits(plot, figure)] },
  };
}

/** A dashed line at each limit that lies within the strip. */
function drawLimits(plot, figure) {
  if (!figure.dataset.low && !figure.dataset.high) return;
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour(figure, "--bad");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const limit of [figure.dataset.low, figure.dataset.high]) {
    const y = limit === undefined ? null : plot.valToPos(Number(limit), "y", true);
    if (y === null || y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

export function withMargin(least, greatest) {
  if (least === null || greatest === null) return [0, 1];
  const margin = (greatest - least) * 0.06 || Math.abs(greatest) * 0.05 || 1;
  return [least - margin, greatest + margin];
}

export function timeLabels(plot, ticks, axis, space, step) {
  const [time, day, month] = [dateWriter(step < MINUTE ? "second" : "minute"), dateWriter("day"), dateWriter("month")];
  let before = "";
  return ticks.map((tick) => {
    const date = new Date(tick * 1000);
    const ofDay = step >= DAY || time.format(date).startsWith("00:00");
    const label = shortened(step >= 28 * DAY ? month.format(date) : (ofDay ? day : time).format(date));
    if (label === before || !hasRoom(plot, tick, label)) return "";
    return (before = label);
  });
}

/** Whether a label below `tick` ends within the canvas, which is 8 px wider than what is drawn. */
function hasRoom(plot, tick, label) {
  const { min, max } = plot.scales.x;
  const right = ((max - tick) / (max - min)) * (plot.bbox.width / devicePixelRatio);
  return right + 8 >= label.length * 3.3;
}

/** What is drawn in `holder` anew keeps the name of the server's drawing. */
export function keepName(holder) {
  const label = holder.querySelector("svg")?.getAttribute("aria-label");
  if (!label) return;
  holder.setAttribute("role", "img");
  holder.setAttribute("aria-label", label);
}

/** What colours of the style sheet come to here, light or dark; asked for together, they cost once. */
export function colours(element, ...names) {
  const probes = names.map((name) => {
    const probe = document.createElement("i");
    probe.hidden = true;
    probe.style.color = `var(${name})`;
    return probe;
  });
  element.append(...probes);
  const found = probes.map((probe) => getComputedStyle(probe).color);
  for (const probe of probes) probe.remove();
  return found;
}

export const colour = (element, name) => colours(element, name)[0];

function fade(rgb, alpha) {
  return rgb.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);
}
