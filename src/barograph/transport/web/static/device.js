// The chart of a device: one strip per metric over one period, like the pens on one drum.

import { formatValue, moment } from "./format.js";
import { keepName, stripOptions } from "./strip.js";

const { uPlot } = window;
const APPENDED_MAX = 2_000;
const section = document.getElementById("period");
const figures = document.getElementById("figures");
const status = document.querySelector("[data-chart-status]");
const strips = new Map();
const view = {};
// What most pages do not show is loaded by those that do.
const states = section?.querySelector("[data-timeline]") ? await import("./states.js") : null;
const others = loadOthers();
let loading = null;
let retry = 0;
let loadedAt = 0;
let loadedTo = 0;
let news = false;
let appended = 0;
let address = location.search;
let dirty = false;

if (section) {
  view.query = section.dataset.query;
  view.moving = section.dataset.moving === "true";
  setPeriod(section.dataset.start / 1e6, section.dataset.end / 1e6);
  loadedTo = view.end;
  for (const figure of section.querySelectorAll("[data-strip]")) {
    strips.set(figure.dataset.strip, {
      figure,
      holder: figure.querySelector("[data-plot]"),
      timeline: figure.querySelector("[data-timeline]"),
      plot: null,
    });
  }
  section.addEventListener("click", onClick);
  document.getElementById("newest").parentElement.addEventListener("click", onToggle);
  figures.addEventListener("click", onOlder);
  addEventListener("popstate", () => {
    // A jump within the page comes here, too.
    if (location.search !== address) show(location.search.slice(1), { push: false });
  });
  new ResizeObserver(resize).observe(section);
  document.addEventListener("themechange", redrawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  document.addEventListener("live:gap", () => {
    news = true;
    if (retry) load();
  });
  // What came between the page and its stream is on neither.
  document.addEventListener("live:known", ({ detail }) => { if (detail.time > loadedTo) append(detail); });
  document.addEventListener("htmx:after:swap", turn);
  turn();
  const png = section.querySelector("[data-png]");
  png.hidden = false;
  png.addEventListener("click", async () => {
    const { savePng } = await import("./png.js");
    savePng(section, strips.values(), view, moment);
  });
  setInterval(move, 500);
  view.figures = figures.querySelector("[data-figures-later]") ? null : view.query;
  view.before = new URLSearchParams(address).get("before");
  load();
}

/** What every page has comes after the chart, which it would hold up. */
async function loadOthers() {
  if (section) await painted();
  const htmx = document.createElement("script");
  htmx.src = new URL("vendor/htmx/htmx.min.js", import.meta.url);
  const loaded = new Promise((done) => htmx.addEventListener("load", done));
  document.head.append(htmx);
  await loaded;
  const [{ onReading }] = await Promise.all([import("./live.js"), import("./app.js")]);
  if (section) onReading(append);
}

/** What is drawn now is seen; a page in the background is not waited for. */
function painted() {
  return new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, 500);
  });
}

// What waits for the device, and what it sends wrongly while it is new, changes without a word.
setInterval(() => {
  const exchange = document.querySelector("[data-exchange]");
  const waits = exchange?.hasAttribute("data-pending") || document.querySelector(".waiting-panel");
  if (!exchange || !waits || document.hidden || !window.htmx) return;
  window.htmx.ajax("GET", exchange.dataset.exchange, { source: exchange, target: exchange, swap: "outerMorph" });
}, 3000);

// A command that was taken leaves its field; one that was refused stays to be mended.
const command = document.getElementById("command");
let sending = false;
command?.form.addEventListener("submit", () => { sending = true; });

// A new token stands in the snippets at once.
document.addEventListener("htmx:after:swap", () => {
  if (sending && !document.querySelector("#exchange .problem")) command.value = "";
  sending = false;
  const token = document.querySelector("#token-panel #token")?.textContent;
  if (!token) return;
  for (const code of document.querySelectorAll("#connect pre code")) code.textContent = code.textContent.replaceAll("YOUR_DEVICE_TOKEN", token);
});

async function turn() {
  if (document.querySelector("[data-space]")) (await import("./space.js")).turnable();
}

function setPeriod(start, end) {
  Object.assign(view, { start, end, length: end - start });
}

/** Show another period, whose address is `query`. */
function show(query, { push = true } = {}) {
  if (push) history.pushState(null, "", `?${query}`);
  address = location.search;
  view.query = query;
  view.before = null;
  const asked = new URLSearchParams(query);
  view.moving = !asked.has("start_time") && !asked.has("end_time");
  const range = view.moving ? (asked.get("range") ?? "24h") : null;
  for (const link of section.querySelectorAll("[data-range]")) {
    if (link.dataset.range === range) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  load();
}

async function load() {
  loading?.abort();
  clearTimeout(retry);
  retry = 0;
  const mine = (loading = new AbortController());
  loadedAt = Date.now();
  news = false;
  appended = 0;
  section.classList.add("loading");
  const slow = setTimeout(() => say("loading"), 1000);
  try {
    const course = brought() ?? (await asked(mine.signal));
    if (!course) return;
    setPeriod(course.start, course.end);
    loadedTo = course.end;
    measure();
    for (const one of course.metrics) draw(one);
    for (const one of course.states) drawTimeline(one);
    writeEnds();
    section.dataset.drawn = view.query;
    say(null);
    // The figures of a period come after its chart.
    if (view.figures !== view.query) loadFigures("innerHTML");
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    again();
  } finally {
    clearTimeout(slow);
    if (loading === mine) {
      loading = null;
      section.classList.remove("loading");
    }
  }
}

/** The data that came with the page, once. */
function brought() {
  const course = section.querySelector("[data-course]");
  course?.remove();
  return course && JSON.parse(course.content.textContent);
}

async function asked(signal) {
  const answer = await fetch(`${section.dataset.chart}?${view.query}`, { signal });
  if (answer.status >= 500) return again();
  // Signed out, or the device is gone: the page itself says so best.
  if (!answer.ok || answer.redirected) return location.reload();
  return answer.json();
}

/** The server does not answer: the chart stays as it is, says so, and is asked for again. */
function again() {
  say("failed");
  retry = setTimeout(load, 5000);
}

function say(what) {
  status.textContent = what ? status.dataset[what] : "";
  status.classList.toggle("failed", what === "failed");
}

async function loadFigures(swap) {
  view.figures = view.query;
  await others;
  window.htmx.ajax("GET", `${figures.dataset.figures}?${figuresQuery()}`, { source: figures, target: figures, swap });
}

/** What the figures are of: the period, and the page of readings that was turned to. */
function figuresQuery() {
  const query = new URLSearchParams(view.query);
  if (view.before) query.set("before", view.before);
  return query;
}

function draw({ metric, times, mean, low, high }) {
  const strip = strips.get(metric);
  if (!strip?.holder) return;
  strip.data = [times, high ?? mean.slice(), low ?? mean.slice(), mean];
  const steps = !high && mean.length > 0 && mean.every((value) => value === null || value === 0 || value === 1);
  if (strip.plot && strip.steps === steps) {
    strip.plot.setData(strip.data, false);
    strip.plot.setScale("x", { min: view.start, max: view.end });
  } else {
    strip.steps = steps;
    build(strip);
  }
}

function drawTimeline({ metric, spans, pens }) {
  const strip = strips.get(metric);
  // A metric of numbers that had texts in another period needs a page that knows.
  if (!strip?.timeline) return;
  Object.assign(strip, { spans, pens });
  states.drawStates(strip, view, moment);
  states.drawLegend(strip);
}

/** The sizes of all strips, read before any is changed: else each costs a layout of the page. */
function measure() {
  for (const strip of strips.values()) if (strip.holder) strip.size = { width: strip.holder.clientWidth, height: strip.holder.clientHeight };
}

function build(strip) {
  strip.plot?.destroy();
  keepName(strip.holder);
  strip.holder.replaceChildren();
  const options = stripOptions(strip, view, { onRead: (plot) => read(strip, plot), onSelect: zoom });
  strip.plot = new uPlot({ ...options, ...strip.size }, strip.data, strip.holder);
  strip.plot.over.addEventListener("dblclick", () => shift("wider"));
}

function redrawAll() {
  measure();
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
  if (!view.moving || !strip) return;
  if (typeof value === "string") {
    const last = strip.spans?.at(-1);
    if (last && last[2] !== value && time > last[0]) {
      last[1] = time;
      strip.spans.push([time, time, value]);
      strip.pens[value] ??= 0;
      dirty = true;
    }
    return;
  }
  if (!strip.data) return;
  const [times] = strip.data;
  if (times.length && time <= times.at(-1)) return;
  times.push(time);
  appended += 1;
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
    for (const strip of strips.values()) {
      strip.plot?.batch(() => {
        strip.plot.setData(strip.data, false);
        strip.plot.setScale("x", { min: view.start, max: view.end });
      });
      if (strip.spans?.length) {
        strip.spans.at(-1)[1] = now;
        states.drawStates(strip, view, moment);
      }
    }
    writeEnds();
  }
  // A thousandth of the period is as much as anybody sees; very many readings are gathered sooner.
  const pause = appended > APPENDED_MAX ? 5000 : Math.max(5000, view.length);
  if (news && Date.now() - loadedAt > pause) {
    load();
    loadFigures("innerMorph");
  }
}

function read(strip, plot) {
  const output = strip.figure.querySelector("[data-read]");
  const { idx, left } = plot.cursor;
  readStates(left >= 0 ? plot.posToVal(left, "x") : null);
  const mean = idx === null || idx === undefined ? null : plot.data[3][idx];
  if (mean === null || mean === undefined) return output.replaceChildren();
  const [times, high, low] = plot.data;
  const value = document.createElement("b");
  value.textContent = formatValue(mean);
  const unit = strip.figure.dataset.unit ? `\u00a0${strip.figure.dataset.unit}` : "";
  const spread = high[idx] > low[idx] ? ` (${formatValue(low[idx])} … ${formatValue(high[idx])})` : "";
  output.replaceChildren(`${moment(times[idx])} · `, value, `${unit}${spread}`);
}

/** What the states and the track were at a moment that the cursor points at. */
function readStates(time) {
  for (const { figure, spans, timeline } of strips.values()) {
    if (timeline && spans) figure.querySelector("[data-read]").textContent = time === null ? "" : states.stateAt(spans, time, timeline);
  }
  if (document.querySelector("[data-track]")) import("./track.js").then(({ markTrack }) => markTrack(time));
}

function zoom(plot) {
  const { left, width } = plot.select;
  if (width < 4) return;
  const [start, end] = [left, left + width].map((x) => plot.posToVal(x, "x"));
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  showBetween(start, end);
}

function showBetween(start, end) {
  const [from, to] = [start, end].map((seconds) => new Date(Math.max(0, seconds) * 1000).toISOString());
  setPeriod(Math.max(0, start), end);
  show(new URLSearchParams([["start_time", from], ["end_time", to], ...chosen()]).toString());
}

function shift(where) {
  const { start, end, length } = view;
  if (where === "wider") showBetween(start - length / 2, Math.max(end, Math.min(end + length / 2, Date.now() / 1000)));
  else if (where === "earlier") showBetween(start - length, start);
  else showBetween(end, end + length);
}

function onClick(event) {
  const link = event.target.closest("[data-range], [data-shift]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.dataset.shift) shift(link.dataset.shift);
  else show(new URLSearchParams([["range", link.dataset.range], ...chosen()]).toString());
}

/** A tile puts its metric on the chart or takes it off, over the period as it is shown now. */
function onToggle(event) {
  const link = event.target.closest("[data-toggle]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const query = new URLSearchParams(view.query);
  const others = [...strips.keys()].filter((metric) => metric !== link.dataset.toggle);
  query.delete("metric");
  for (const metric of strips.has(link.dataset.toggle) ? others : [...others, link.dataset.toggle]) query.append("metric", metric);
  location.assign(`?${query}`);
}

function onOlder(event) {
  const link = event.target.closest("[data-readings]");
  if (!link || !window.htmx || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  view.before = link.dataset.readings;
  const readings = figures.dataset.figures.replace(/figures$/, "readings");
  window.htmx.ajax("GET", `${readings}?${figuresQuery()}`, { source: figures, target: "#readings", swap: "outerHTML" });
}

function chosen() {
  return new URLSearchParams(view.query).getAll("metric").map((metric) => ["metric", metric]);
}

function writeEnds() {
  const [first, last] = section.querySelectorAll("[data-ends] time");
  first.textContent = moment(view.start);
  last.textContent = moment(view.end);
}
