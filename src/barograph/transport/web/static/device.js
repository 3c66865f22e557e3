// The chart of a device: one strip per metric over one period, like the pens on one drum.

import { formatValue } from "./format.js";
import { stripOptions } from "./strip.js";
import { onReading } from "./live.js";

const { uPlot } = window;
const root = document.documentElement;
// Day before month, as the server writes it.
const locale = root.lang === "en" ? "en-GB" : root.lang;
const section = document.getElementById("period");
const figures = document.getElementById("figures");
const strips = new Map();
const view = {};
let loading = null;
let loadedAt = 0;
let news = false;
let dirty = false;

if (section) {
  view.query = section.dataset.query;
  view.moving = section.dataset.moving === "true";
  setPeriod(section.dataset.start / 1e6, section.dataset.end / 1e6);
  for (const figure of section.querySelectorAll("[data-strip]")) {
    strips.set(figure.dataset.strip, { figure, holder: figure.querySelector("[data-plot]"), plot: null });
  }
  section.addEventListener("click", onRange);
  addEventListener("popstate", () => show(location.search.slice(1), { push: false }));
  new ResizeObserver(resize).observe(section);
  document.addEventListener("themechange", redrawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  onReading(append);
  document.addEventListener("live:gap", () => { news = true; });
  setInterval(move, 500);
  load();
}

function setPeriod(start, end) {
  Object.assign(view, { start, end, length: end - start });
}

/** Show another period, whose address is `query`. */
function show(query, { push = true } = {}) {
  if (push) history.pushState(null, "", `?${query}`);
  view.query = query;
  const asked = new URLSearchParams(query);
  view.moving = !asked.has("start_time") && !asked.has("end_time");
  const range = view.moving ? (asked.get("range") ?? "24h") : null;
  for (const link of section.querySelectorAll("[data-range]")) {
    link.toggleAttribute("aria-current", link.dataset.range === range);
  }
  load();
  loadFigures("innerHTML");
}

async function load() {
  loading?.abort();
  const mine = (loading = new AbortController());
  loadedAt = Date.now();
  news = false;
  section.classList.add("loading");
  try {
    const answer = await fetch(`${section.dataset.chart}?${view.query}`, { signal: mine.signal });
    if (!answer.ok || answer.redirected) {
      // Signed out, or the device is gone: the page itself says so best.
      if (answer.redirected || answer.status < 500) location.reload();
      return;
    }
    const course = await answer.json();
    setPeriod(course.start, course.end);
    for (const one of course.metrics) draw(one);
    writeEnds();
    section.dataset.drawn = view.query;
  } catch (error) {
    // Without a connection the chart stays as it is, and `live.js` says why.
    if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
  } finally {
    if (loading === mine) {
      loading = null;
      section.classList.remove("loading");
    }
  }
}

function loadFigures(swap) {
  window.htmx.ajax("GET", `${figures.dataset.figures}?${view.query}`, { source: figures, target: figures, swap });
}

function draw({ metric, times, mean, low, high }) {
  const strip = strips.get(metric);
  if (!strip) return;
  strip.data = [times, high ?? mean.slice(), low ?? mean.slice(), mean];
  if (strip.plot) {
    strip.plot.setData(strip.data, false);
    strip.plot.setScale("x", { min: view.start, max: view.end });
  } else {
    build(strip);
  }
}

function build(strip) {
  const { clientWidth, clientHeight } = strip.holder;
  strip.plot?.destroy();
  strip.holder.replaceChildren();
  const options = stripOptions(strip.figure, view, { onRead: (plot) => read(strip, plot), onSelect: zoom });
  strip.plot = new uPlot({ ...options, width: clientWidth, height: clientHeight }, strip.data, strip.holder);
}

function redrawAll() {
  for (const strip of strips.values()) if (strip.plot) build(strip);
}

function resize() {
  for (const { plot, holder } of strips.values()) {
    if (plot && holder.clientWidth && holder.clientWidth !== plot.width) plot.setSize({ width: holder.clientWidth, height: holder.clientHeight });
  }
}

/** A committed reading goes on paper at once; the next load puts it where it belongs. */
function append({ device, metric, value, time }) {
  if (device !== document.querySelector("[data-device-page]").dataset.devicePage) return;
  news = true;
  const strip = strips.get(metric);
  if (!view.moving || !strip?.data || typeof value === "string") return;
  const [times] = strip.data;
  if (times.length && time <= times.at(-1)) return;
  times.push(time);
  for (const column of strip.data.slice(1)) column.push(Number(value));
  dirty = true;
}

/** Moves a period that ends now along, and reloads it where it has grown stale. */
function move() {
  if (!view.moving || document.hidden || loading) return;
  const now = Date.now() / 1000;
  const pixel = view.length / section.clientWidth;
  if (dirty || now - view.end > Math.max(1, pixel)) {
    dirty = false;
    view.end = now;
    if (view.query.includes("range=all")) view.length = view.end - view.start;
    else view.start = now - view.length;
    for (const { plot, data } of strips.values()) plot?.batch(() => {
      plot.setData(data, false);
      plot.setScale("x", { min: view.start, max: view.end });
    });
    writeEnds();
  }
  if (news && Date.now() - loadedAt > Math.max(5000, view.length)) {
    load();
    loadFigures("innerMorph");
  }
}

function read(strip, plot) {
  const output = strip.figure.querySelector("[data-read]");
  const { idx } = plot.cursor;
  const mean = idx === null || idx === undefined ? null : plot.data[3][idx];
  if (mean === null || mean === undefined) return output.replaceChildren();
  const [times, high, low] = plot.data;
  const value = document.createElement("b");
  value.textContent = formatValue(mean);
  const spread = high[idx] > low[idx] ? ` (${formatValue(low[idx])} … ${formatValue(high[idx])})` : "";
  output.replaceChildren(`${moment(times[idx])} · `, value, spread);
}

function zoom(plot) {
  const { left, width } = plot.select;
  if (width < 4) return;
  const [start, end] = [left, left + width].map((x) => new Date(plot.posToVal(x, "x") * 1000).toISOString());
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  const query = new URLSearchParams([["start_time", start], ["end_time", end], ...chosen()]);
  show(query.toString());
}

function onRange(event) {
  const link = event.target.closest("[data-range]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(new URLSearchParams([["range", link.dataset.range], ...chosen()]).toString());
}

function chosen() {
  return new URLSearchParams(view.query).getAll("metric").map((metric) => ["metric", metric]);
}

function moment(seconds) {
  return new Date(seconds * 1000).toLocaleString(locale, {
    timeZone: root.dataset.zone,
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  });
}

function writeEnds() {
  const [first, last] = section.querySelectorAll("[data-ends] time");
  first.textContent = moment(view.start);
  last.textContent = moment(view.end);
}
