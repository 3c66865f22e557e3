// The overview: table or cards at once, and a key that leads to the search.

const YEAR = "; path=/; max-age=31536000; samesite=lax";

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-shape]");
  const list = document.querySelector("[data-devices]");
  if (!link || !list || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  for (const other of document.querySelectorAll("[data-shape]")) {
    list.classList.toggle(other.dataset.shape, other === link);
    if (other === link) other.setAttribute("aria-current", "true");
    else other.removeAttribute("aria-current");
  }
  document.cookie = `barograph_shape=${link.dataset.shape}${YEAR}`;
});

document.addEventListener("keydown", (event) => {
  const find = document.querySelector("[data-find]");
  if (event.key !== "/" || !find || event.target.matches("input, textarea, select")) return;
  event.preventDefault();
  find.focus();
  find.select();
});

for (const button of document.querySelectorAll("[data-scriptless]")) button.hidden = true;
