// The form of a panel shows the fields that its kind needs.

const form = document.querySelector("[data-panel-form]");
const kind = form.querySelector("[data-kind]");

function show() {
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(kind.value);
}

kind.addEventListener("change", show);
show();
