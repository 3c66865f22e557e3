// A dashboard to look at: its charts can be read with a pointer, and it stays up to date by itself.

import { drawPlots } from "./plots.js";

const EVERY_MS = 15_000;
const lost = document.querySelector("[data-live-lost]");
const board = document.getElementById("board");

const period = document.querySelector("[data-submit]");
period?.addEventListener("change", () => period.form.requestSubmit());
for (const button of document.querySelectorAll("[data-no-script]")) button.hidden = true;

async function refresh() {
  // A chart that is being read stays as it is.
  if (document.hidden || board.matches(":hover") || board.contains(document.activeElement)) return;
  const answer = await fetch(location.href).catch(() => null);
  lost.hidden = Boolean(answer?.ok);
  if (!answer?.ok) return;
  if (answer.redirected) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("board");
  if (!fresh) return location.reload();
  const at = [scrollX, scrollY];
  board.replaceChildren(...fresh.children);
  drawPlots(board);
  scrollTo(...at);
}

setInterval(refresh, EVERY_MS);
addEventListener("online", refresh);
addEventListener("offline", () => { lost.hidden = false; });
