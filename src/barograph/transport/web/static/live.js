// Newest values as they are committed. One event stream per page, of the devices on it.

import { ago, formatValue, moment } from "./format.js";

const FRESH_MS = 15 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
const ASKED_AT_ONCE = 100; // devices; the server answers of no more
const listeners = new Set();
const pending = new Map();
const newest = new Map();
let source = null;
let watched = "";
let retry = 0;
let opened = false;

/** Have `listener({device, metric, value, time, late})` called for each reading; `time` in seconds,
 *  `late` says that a newer one came before. */
export function onReading(listener) {
  listeners.add(listener);
}

/** Listen to the devices that the page shows now. */
export function watch() {
  const ids = new Set();
  for (const element of document.querySelectorAll("[data-live] [data-device], [data-live][data-device-page], [data-waiting]")) {
    ids.add(element.dataset.device ?? element.dataset.devicePage ?? element.dataset.waiting);
  }
  const devices = [...ids].sort().join(",");
  if (devices === watched && source) return;
  watched = devices;
  newest.clear();
  connect();
}

function connect() {
  disconnect();
  if (!watched || document.hidden) return;
  source = new EventSource(`/api/live?${new URLSearchParams({ device: watched })}`);
  source.addEventListener("open", () => {
    lost(false);
    missed();
  });
  source.addEventListener("reading", take);
  source.addEventListener("gap", missed);
  source.addEventListener("error", () => {
    lost(true);
    // The browser tries again by itself unless the server refused.
    if (source?.readyState === EventSource.CLOSED) retry = setTimeout(connect, 5000);
  });
}

function missed() {
  catchUp();
  if (opened) document.dispatchEvent(new Event("live:gap"));
  opened = true;
}

function disconnect() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

// A browser opens only a few connections per server: a page that nobody sees keeps none.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));

function lost(isLost) {
  document.querySelector("[data-live-lost]").hidden = !isLost;
}

function take(event) {
  const reading = readingOf(JSON.parse(event.data));
  const late = !keep(reading);
  for (const listener of listeners) listener({ ...reading, late });
}

/** Many readings of one metric may come at once: the page shows the newest, a few times a second.
 *  Says whether this is it. */
function keep(reading) {
  const key = `${reading.device}\n${reading.metric}`;
  if (newest.get(key) > reading.time) return false;
  newest.set(key, reading.time);
  if (!pending.size) setTimeout(show, 200);
  pending.set(key, reading);
  return true;
}

/** What was committed before the stream began, or while it was away; each is told as `live:known`. */
async function catchUp() {
  const ids = watched.split(",");
  for (let first = 0; first < ids.length; first += ASKED_AT_ONCE) {
    const asked = ids.slice(first, first + ASKED_AT_ONCE).map((id) => ["device", id]);
    const answer = await fetch(`/ui/newest?${new URLSearchParams(asked)}`).catch(() => null);
    if (!answer?.ok || answer.redirected) continue;
    for (const reading of (await answer.json()).map(readingOf)) {
      if (keep(reading)) document.dispatchEvent(new CustomEvent("live:known", { detail: reading }));
    }
  }
}

function readingOf(data) {
  return {
    device: String(data.device_id),
    metric: data.metric,
    value: data.value,
    time: Date.parse(data.ts) / 1000,
  };
}

function show() {
  for (const reading of pending.values()) {
    let isNew = true;
    for (const element of document.querySelectorAll(`[data-device="${reading.device}"]`)) {
      if (element.dataset.metric === reading.metric) {
        value(element, reading);
        isNew = false;
      } else if (element.hasAttribute("data-ago")) seen(element, reading.time);
    }
    for (const panel of document.querySelectorAll(`[data-waiting="${reading.device}"]`)) arrived(panel, reading);
    if (isNew) document.dispatchEvent(new CustomEvent("live:new", { detail: reading }));
  }
  pending.clear();
}

function value(element, reading) {
  const dated = element.closest("dd[title]");
  if (dated) dated.title = moment(reading.time);
  const text = formatValue(reading.value);
  if (element.textContent === text) return;
  element.textContent = text;
  const { low, high } = element.dataset;
  element.classList.toggle("beyond", reading.value < Number(low ?? -Infinity) || reading.value > Number(high ?? Infinity));
  element.classList.remove("wet");
  requestAnimationFrame(() => element.classList.add("wet"));
}

function seen(element, time) {
  if (element.dateTime && Date.parse(element.dateTime) >= time * 1000) return;
  element.dateTime = new Date(time * 1000).toISOString();
  element.title = moment(time);
  element.textContent = ago(time * 1000);
  colourDot(element);
}

/** The dot beside a time says how long ago that was; twin of `status_of` in `status.py`. */
function colourDot(element) {
  const dot = element.closest("[data-device]:not(time), [data-live]")?.querySelector("[data-seen-dot]");
  if (!dot || dot.classList.contains("online")) return; // it is connected: nothing to guess
  const since = Date.now() - Date.parse(element.dateTime);
  const status = since < FRESH_MS ? "fresh" : since < DAY_MS ? "quiet" : "silent";
  if (dot.classList.contains(status)) return;
  dot.classList.remove("fresh", "quiet", "silent", "blank");
  dot.classList.add(status);
  const text = document.querySelector(`template[data-status="${status}"]`)?.innerHTML;
  if (text) dot.title = text;
  if (text) dot.setAttribute("aria-label", text);
}

function arrived(panel, reading) {
  if (panel.classList.contains("arrived")) return;
  panel.classList.add("arrived");
  panel.querySelector("[data-first]").textContent = `${reading.metric} = ${formatValue(reading.value)}`;
  if (panel.hasAttribute("data-reload")) setTimeout(() => location.reload(), 1200);
}

setInterval(() => {
  for (const element of document.querySelectorAll("time[data-ago][datetime]")) {
    element.textContent = ago(Date.parse(element.dateTime));
    colourDot(element);
  }
}, 5000);
