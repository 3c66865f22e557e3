// The page without a connection: tries again by itself, and opens what was asked for.

const again = () => location.reload();

document.querySelector("[data-again]").addEventListener("click", again);
addEventListener("online", again);
setInterval(async () => {
  const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
  if (answer?.ok) again();
}, 3000);
