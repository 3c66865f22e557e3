// The page /last: asks for the newest values again and again, and puts them in place.

import { ago, formatValue } from "./format.js";

const EVERY_MS = 2000;
const rows = document.querySelector("[data-newest]");
const none = document.querySelector("[data-newest-none]");
const lost = document.querySelector("[data-live-lost]");
let shown = "";

async function refresh() {
  if (!document.hidden) {
    const answer = await fetch(location.href, { headers: { Accept: "application/json" } }).catch(() => null);
    lost.hidden = Boolean(answer?.ok);
    if (answer?.ok) show(await answer.text());
  }
  setTimeout(refresh, EVERY_MS);
}

// What is the same stays as it is: somebody may have marked it to copy it.
function show(text) {
  if (text === shown) return;
  shown = text;
  const readings = JSON.parse(text);
  rows.replaceChildren(...readings.map(row));
  none.hidden = readings.length > 0;
}

function row({ parameter, value, ts }) {
  const line = document.createElement("tr");
  const name = line.appendChild(document.createElement("th"));
  name.scope = "row";
  name.textContent = parameter;
  line.insertCell().textContent = formatValue(value);
  const time = line.insertCell().appendChild(document.createElement("time"));
  time.dateTime = time.title = ts;
  time.dataset.ago = "";
  time.textContent = ago(Date.parse(ts));
  return line;
}

setTimeout(refresh, EVERY_MS);
