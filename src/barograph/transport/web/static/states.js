// A metric of texts: which state lasted from when to when, as bars on the same axis as the curves.

import { keepName } from "./strip.js";

const percent = new Intl.NumberFormat(document.documentElement.lang, { style: "percent", maximumFractionDigits: 1 });
const LABEL_WIDTH = 56;
const LEGEND_MAX = 12;

export function drawStates({ timeline, spans, pens }, view, moment) {
  const width = timeline.clientWidth;
  const bars = [];
  for (const [start, end, state] of spans) {
    const from = Math.max(0, (start - view.start) / view.length);
    const to = Math.min(1, (end - view.start) / view.length);
    if (to <= from) continue;
    const bar = document.createElement("span");
    bar.className = state === null ? "state-changing" : `state-${pens[state] ?? 0}`;
    bar.style.left = `${from * 100}%`;
    bar.style.width = `${(to - from) * 100}%`;
    bar.title = `${state ?? timeline.dataset.changing} · ${moment(start)} – ${moment(end)}`;
    if (state !== null && (to - from) * width > LABEL_WIDTH) bar.textContent = state;
    bars.push(bar);
  }
  keepName(timeline);
  timeline.replaceChildren(...bars);
}

export function drawLegend({ figure, spans, pens }) {
  const lasted = new Map();
  for (const state of Object.keys(pens)) lasted.set(state, 0);
  for (const [start, end, state] of spans) if (state !== null) lasted.set(state, (lasted.get(state) ?? 0) + end - start);
  const known = [...lasted.values()].reduce((sum, one) => sum + one, 0);
  // Where states were changing too fast to tell apart, the server's shares are the true ones.
  if (!known || spans.some(([, , state]) => state === null)) return;
  const items = [...lasted].sort((a, b) => b[1] - a[1]).slice(0, LEGEND_MAX).map(([state, length]) => {
    const item = document.createElement("li");
    const swatch = item.appendChild(document.createElement("i"));
    swatch.className = `state-${pens[state] ?? 0}`;
    const share = document.createElement("span");
    share.textContent = percent.format(length / known);
    item.append(state, " ", share);
    return item;
  });
  figure.querySelector("[data-legend]").replaceChildren(...items);
}

export function stateAt(spans, time, timeline) {
  const span = spans.find(([start, end]) => start <= time && time < end);
  return span ? (span[2] ?? timeline.dataset.changing) : "";
}
