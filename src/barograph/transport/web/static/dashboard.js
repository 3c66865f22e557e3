// A dashboard to look at: its charts can be read with a pointer, and it stays up to date by itself.
//
// The server says which panels have new readings; those that can be seen are asked for anew, each no
// more often than anybody would see. Where the server cannot be heard, all of them are, now and then.

import { drawPlots } from "./plots.js";
import { waiting } from "./waiting.js";

const LOOK_MS = 500;
const UNHEARD_MS = 15_000;
const ANYWAY_MS = 60_000;
const RETRY_MS = 5_000;
const READING_MS = 60_000;
const GONE = [401, 403, 404];
const lost = document.querySelector("[data-live-lost]");
const board = document.getElementById("board");
const news = new Set();
const shown = new Map();
let source = null;
let retry = 0;
let heard = false;
let asking = false;
let touched = 0;

const period = document.querySelector("[data-submit]");
period?.addEventListener("change", () => period.form.requestSubmit());
for (const button of document.querySelectorAll("[data-no-script]")) button.hidden = true;

function panels() {
  return [...board.querySelectorAll("[data-place]")];
}

function connect() {
  clearTimeout(retry);
  source?.close();
  source = null;
  heard = false;
  if (document.hidden) return;
  // It ends where the dashboard is another than the page shows.
  source = new EventSource(`${board.dataset.events}?revision=${board.dataset.revision}`);
  source.addEventListener("open", () => {
    // What was committed before, nobody told.
    for (const panel of panels()) news.add(panel.dataset.place);
    heard = true;
  });
  source.addEventListener("changed", ({ data }) => {
    for (const place of JSON.parse(data)) news.add(String(place));
  });
  source.addEventListener("error", () => {
    if (heard) ask(panels()); // is it the stream, or the server?
    heard = false;
    // The browser tries again by itself unless the server refused.
    if (source?.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_MS);
  });
}

function isSeen(panel) {
  const { top, bottom } = panel.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

function isDue(panel, now) {
  const { place, every } = panel.dataset;
  const age = now - (shown.get(place) ?? 0);
  if (!(every > 0) || !isSeen(panel)) return false;
  // A panel that is being read stays as it is; a pointer that was left lying on it reads nothing.
  const read = panel.matches(":hover") || panel.contains(document.activeElement);
  if (read && now - touched < READING_MS) return false;
  if (!heard) return age > UNHEARD_MS;
  return age > (news.has(place) ? every : ANYWAY_MS);
}

function look() {
  if (document.hidden || asking) return;
  const due = panels().filter((panel) => isDue(panel, Date.now()));
  if (due.length) ask(due);
}

async function ask(some) {
  const places = some.map((panel) => panel.dataset.place);
  const now = Date.now();
  for (const place of places) {
    shown.set(place, now);
    news.delete(place);
  }
  asking = true;
  const ended = waiting();
  const address = new URL(location.href);
  address.searchParams.set("panels", places.join());
  try {
    const answer = await fetch(address).catch(() => null);
    ended(Boolean(answer?.ok));
    // Signed out, or the dashboard or its link is gone: the page itself says so best.
    if (answer?.redirected || GONE.includes(answer?.status)) return location.reload();
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
    if (fresh?.dataset.revision !== board.dataset.revision) return location.reload();
    for (const panel of [...fresh.children]) board.querySelector(`[data-place="${panel.dataset.place}"]`)?.replaceWith(panel);
    drawPlots(board);
  } finally {
    asking = false;
  }
}

for (const kind of ["pointermove", "pointerdown", "wheel", "keydown"]) {
  document.addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
}
for (const panel of panels()) shown.set(panel.dataset.place, Date.now());
document.addEventListener("visibilitychange", connect);
addEventListener("online", connect);
addEventListener("offline", () => { lost.hidden = false; });
setInterval(look, LOOK_MS);
connect();
