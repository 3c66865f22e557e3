// Before anything is drawn: the colours that were chosen on the pages, or those of the system.
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const { theme } = root.dataset;
  const show = () => root.classList.toggle("dark-mode", theme === "dark" || (theme === "auto" && system.matches));
  system.addEventListener("change", show);
  show();
}
