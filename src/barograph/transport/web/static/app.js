// What every page does: remembers colours and time zone, copies snippets, opens the dialog.

import { watch } from "./live.js";

const root = document.documentElement;
const YEAR = "; path=/; max-age=31536000; samesite=lax";

// The server writes times in this browser's zone once it knows it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && zone !== root.dataset.zone && !document.cookie.includes(`barograph_zone=${zone}`)) {
  document.cookie = `barograph_zone=${zone}${YEAR}`;
  if (document.cookie.includes(`barograph_zone=${zone}`)) location.reload();
}

// Where scripts run, what takes long is asked for after the page.
document.cookie = `barograph_scripts=1${YEAR}`;

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-toggle], [data-copy], [data-dialog], [data-dialog-close]");
  if (!target) return;
  if (target.matches("[data-theme-toggle]")) return toggleTheme(event, target);
  if (target.matches("[data-copy]")) return copy(target);
  const dialog = document.getElementById("dialog");
  if (target.matches("[data-dialog-close]")) return dialog.close();
  if (dialog && window.htmx && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    window.htmx.ajax("GET", target.getAttribute("href"), { target: "#dialog-body" }).then(() => {
      if (!dialog.querySelector("form")) return; // it could not be asked for
      if (!dialog.open) dialog.showModal();
      dialog.querySelector("[autofocus]")?.focus();
    });
  }
});

document.getElementById("dialog")?.addEventListener("close", (event) => {
  const added = event.target.querySelector("[data-added]");
  document.getElementById("dialog-body").replaceChildren();
  if (added) location.reload();
});

// It answers with a page of ours while the server cannot be reached.
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});

function toggleTheme(event, button) {
  event.preventDefault();
  const order = ["auto", "light", "dark"];
  const theme = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
  root.dataset.theme = theme;
  button.value = order[(order.indexOf(theme) + 1) % order.length];
  const form = new FormData(button.form);
  form.set("theme", theme);
  fetch(button.form.action, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
  document.dispatchEvent(new Event("themechange"));
}

async function copy(button) {
  if (button.classList.contains("done")) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyWithoutClipboard(text);
  button.classList.add("done");
  const label = button.textContent;
  button.textContent = "✓";
  setTimeout(() => {
    button.textContent = label;
    button.classList.remove("done");
  }, 1500);
}

// A page over plain http has no clipboard API.
function copyWithoutClipboard(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function enhance() {
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  watch();
}

document.addEventListener("htmx:after:swap", enhance);

// What the stream cannot tell is asked of the server: a metric that the page does not show yet, and
// now and then the small curves.
const refreshed = new Map();
const askedFor = new Set();

/** Ask for the element anew; says whether it was. */
function refresh(id, { atMostEvery = 3000 } = {}) {
  const element = document.getElementById(id);
  const now = Date.now();
  if (!element || document.hidden || now - (refreshed.get(id) ?? 0) < atMostEvery) return false;
  refreshed.set(id, now);
  window.htmx.ajax("GET", location.href, { source: element, target: element, select: `#${id}`, swap: "outerMorph" });
  return true;
}

document.addEventListener("live:new", ({ detail }) => {
  const place = document.querySelector(`[data-metrics="${detail.device}"]`);
  if (!place || place.childElementCount >= Number(place.dataset.room)) return;
  // Once: some metrics have no place of their own on the page, however often it is asked for.
  const metric = `${detail.device}\n${detail.metric}`;
  if (!askedFor.has(metric) && refresh(place.id || "devices")) askedFor.add(metric);
});
document.addEventListener("live:list", ({ detail }) => refresh("devices", detail));
setInterval(() => refresh("devices"), 300_000);

enhance();
