// The overview: table or cards at once, a key that leads to the search, and curves that follow.

import { onBeyond } from "./sparks.js";
import { waiting } from "./waiting.js";

const RETRY_MS = 5000;
const BEYOND_MS = 15_000;
const YEAR = "; path=/; max-age=31536000; samesite=lax";

let chosen = "";

function shape() {
  const list = document.querySelector("[data-devices]");
  if (!list || !chosen) return;
  for (const link of document.querySelectorAll("[data-shape]")) {
    const current = link.dataset.shape === chosen;
    list.classList.toggle(link.dataset.shape, current);
    if (current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-shape]");
  if (!link || !document.querySelector("[data-devices]")) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  chosen = link.dataset.shape;
  document.cookie = `barograph_shape=${chosen}${YEAR}`;
  shape();
});

// A list that was asked for before the choice may arrive after it.
document.addEventListener("htmx:after:swap", shape);

onBeyond(() => document.dispatchEvent(new CustomEvent("live:list", { detail: { atMostEvery: BEYOND_MS } })));

// A list that is long in coming, or does not come: the page says so, and asks again.
const asked = new Map();
let retry = 0;

document.addEventListener("htmx:before:request", ({ detail }) => {
  clearTimeout(retry);
  asked.set(detail.ctx, waiting());
});
document.addEventListener("htmx:finally:request", ({ detail }) => {
  const { ctx } = detail;
  const status = String(ctx.status);
  const failed = status.startsWith("error") && !status.includes("AbortError");
  asked.get(ctx)?.(failed ? false : status === "swapped" ? true : undefined);
  asked.delete(ctx);
  if (failed) retry = setTimeout(again, RETRY_MS, ctx.sourceElement);
});

/** What was typed is asked for by its form; else the list as it is, on the page that it is on. */
function again(source) {
  const finder = document.getElementById("finder");
  if (finder?.contains(source)) finder.requestSubmit();
  else document.dispatchEvent(new CustomEvent("live:list", { detail: { atMostEvery: 0 } }));
}

document.addEventListener("keydown", (event) => {
  const find = document.querySelector("[data-find]");
  if (event.key !== "/" || !find || event.target.matches("input, textarea, select")) return;
  event.preventDefault();
  find.focus();
  find.select();
});

for (const button of document.querySelectorAll("[data-scriptless]")) button.hidden = true;
