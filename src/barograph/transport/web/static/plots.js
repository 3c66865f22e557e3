// Charts of several lines: what the server drew, drawn anew so that it can be read with a pointer.

import { formatTicks, formatValue, moment } from "./format.js";
import { colour, colours, keepName, timeLabels, withMargin } from "./strip.js";

const { uPlot } = window;
const root = document.documentElement;
const drawn = new Map();

/** Draw every chart in `within` that is not drawn yet. */
export function drawPlots(within = document) {
  for (const [element, plot] of drawn) {
    if (element.isConnected) continue;
    plot.destroy();
    drawn.delete(element);
  }
  for (const element of within.querySelectorAll("[data-plot]")) if (!drawn.has(element)) draw(element);
}

function draw(element) {
  const { start, end, zero, lines } = JSON.parse(element.dataset.plot);
  const holder = element.querySelector(".multi-box");
  // The chart writes the times itself, and has their room.
  element.querySelector(".multi-times").setAttribute("hidden", "");
  const { clientWidth: width, clientHeight: height } = holder;
  if (!width || !height) return;
  const legend = [...element.querySelectorAll("[data-line]")];
  const [ink, rule] = colours(element, "--ink-soft", "--rule-faint");
  const axis = {
    stroke: ink,
    font: "12px system-ui, sans-serif",
    grid: { stroke: rule, width: 1 },
    ticks: { show: false },
  };
  const series = [{}];
  const bands = [];
  const tables = [];
  const means = [];
  lines.forEach((line, i) => {
    const pen = colour(legend[i], "--pen");
    if (line.low) {
      bands.push({ series: [series.length, series.length + 1], fill: pen.replace("rgb(", "rgba(").replace(")", ", 0.16)") });
      series.push({ stroke: null, points: { show: false } }, { stroke: null, points: { show: false } });
      tables.push([line.times, line.high, line.low]);
    }
    means.push(series.length);
    series.push({ stroke: pen, width: 1.6, points: { size: 5, fill: pen, stroke: pen } });
    tables.push([line.times, line.mean]);
  });
  keepName(holder);
  holder.replaceChildren();
  const plot = new uPlot(
    {
      width,
      height,
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), root.dataset.zone),
      padding: [8, 8, 0, 0],
      scales: { x: { time: true, range: () => [start, end] }, y: { range: (self, least, greatest) => margins(least, greatest, zero) } },
      axes: [
        { ...axis, size: 24, gap: 6, space: 80, values: timeLabels },
        { ...axis, size: 56, gap: 6, space: 34, values: (self, ticks) => formatTicks(ticks) },
      ],
      series,
      bands,
      cursor: { y: false, drag: { x: false, y: false }, points: { size: (self, i) => (means.includes(i) ? 8 : 0), width: 0 } },
      hooks: { setCursor: [(self) => read(self, element, legend, means)] },
    },
    // Where one line has no point, another may have one: that is no gap.
    uPlot.join(tables.map((table) => table), tables.map((table) => table.map(() => 2))),
    holder,
  );
  drawn.set(element, plot);
}

function margins(least, greatest, zero) {
  return zero && least !== null && least >= 0 ? [0, greatest * 1.06 || 1] : withMargin(least, greatest);
}

function read(plot, element, legend, means) {
  const { idx } = plot.cursor;
  const inside = idx !== null && idx !== undefined && plot.cursor.left >= 0;
  legend.forEach((item, i) => {
    const value = inside ? nearest(plot.data[means[i]], idx) : null;
    item.querySelector("[data-value]").textContent = value === null ? "" : formatValue(value);
  });
  element.querySelector("[data-time]").textContent = inside ? moment(plot.data[0][idx], { year: false }) : "";
}

/** The line's value here, or the one before: lines of several devices seldom have the same times. */
function nearest(values, idx) {
  for (let i = idx; i >= 0 && i > idx - 20; i--) {
    if (values[i] !== null && values[i] !== undefined) return values[i];
  }
  return null;
}

function again() {
  for (const [element, plot] of [...drawn]) {
    plot.destroy();
    drawn.delete(element);
  }
  drawPlots();
}

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  again();
});
document.addEventListener("themechange", again);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
drawPlots();
