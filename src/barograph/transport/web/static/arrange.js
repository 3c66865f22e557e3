// Arranging a dashboard: panels are dragged to their place, or moved with their buttons; what the
// buttons of the form do without this script happens here at once, and is saved.

const RETRY_MS = 5_000;
const form = document.querySelector("[data-arrange]");
const board = form.querySelector("[data-board]");
const told = form.querySelector("[data-told]");
const lost = document.querySelector("[data-live-lost]");
let dragged = null;
let before = null;
let saving = Promise.resolve();
let waiting = 0;
let retry = 0;

const panels = () => [...board.querySelectorAll("[data-panel]")];

board.addEventListener("dragstart", (event) => {
  dragged = event.target.closest("[data-panel]");
  before = panels();
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", "");
  requestAnimationFrame(() => dragged?.classList.add("dragged"));
});

board.addEventListener("dragover", (event) => {
  if (!dragged) return;
  event.preventDefault();
  const over = event.target.closest("[data-panel]");
  if (!over || over === dragged) return;
  const all = panels();
  if (all.indexOf(over) > all.indexOf(dragged)) over.after(dragged);
  else over.before(dragged);
});

board.addEventListener("drop", (event) => event.preventDefault());
board.addEventListener("dragend", () => {
  const panel = dragged;
  dragged = null;
  panel?.classList.remove("dragged");
  if (panel && panels().some((one, i) => one !== before[i])) moved(panel);
});

board.addEventListener("click", (event) => {
  const button = event.target.closest("[data-move]");
  if (!button) return;
  event.preventDefault();
  const panel = button.closest("[data-panel]");
  const all = panels();
  const other = all[all.indexOf(panel) + Number(button.dataset.move)];
  if (!other) return;
  if (Number(button.dataset.move) > 0) other.after(panel);
  else other.before(panel);
  button.focus();
  moved(panel);
});

board.addEventListener("change", (event) => {
  const { size } = event.target.dataset;
  if (!size) return;
  const panel = event.target.closest("[data-panel]");
  panel.className = panel.className.replace(new RegExp(`\\b${size}-\\d+`), `${size}-${event.target.value}`);
  save();
});

// What leaves the page waits for what is being saved, after which the panels may have other numbers.
form.addEventListener("submit", (event) => {
  if (!waiting) return;
  event.preventDefault();
  saving.then(() => form.requestSubmit(event.submitter));
});
board.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || !waiting || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  saving.then(() => link.click());
});

function moved(panel) {
  const name = panel.querySelector("h2").textContent;
  told.textContent = board.dataset.moved.replace("{name}", name).replace("{place}", panels().indexOf(panel) + 1);
  save();
}

/** One save after another, each with the revision that the one before has made. */
function save() {
  waiting += 1;
  board.setAttribute("aria-busy", "true");
  saving = saving.then(store).finally(() => {
    waiting -= 1;
    if (!waiting) board.removeAttribute("aria-busy");
  });
}

async function store() {
  const sent = panels();
  clearTimeout(retry);
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
  const text = await answer?.text().catch(() => null);
  const answers = typeof text === "string" && answer.status < 500;
  lost.hidden = answers;
  if (!answers) return void (retry = setTimeout(save, RETRY_MS));
  const made = new DOMParser().parseFromString(text, "text/html").querySelector("[data-arrange] [name=revision]");
  // Changed by somebody else meanwhile, gone, or signed out: the page itself says so best.
  if (!answer.ok || !made) return location.reload();
  form.elements.revision.value = made.value;
  // The server numbers the panels anew, in the order that was sent.
  sent.forEach(renumber);
}

function renumber(panel, number) {
  const order = panel.querySelector("[name=order]");
  const old = order.value;
  order.value = number;
  for (const element of panel.querySelectorAll("[name=act]")) element.value = element.value.replace(/\d+$/, number);
  for (const element of panel.querySelectorAll(`[name=width-${old}], [name=height-${old}]`)) element.name = element.name.replace(/\d+$/, number);
  for (const link of panel.querySelectorAll("a[href*='/panels/']")) link.href = link.getAttribute("href").replace(/\d+$/, number);
}
