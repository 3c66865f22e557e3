// The form of a question: long lists can be filtered, and a job's progress is followed.

for (const picker of document.querySelectorAll("[data-picker]")) {
  const filter = picker.querySelector("[data-picker-filter]");
  if (!filter) continue;
  filter.hidden = false;
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLocaleLowerCase();
    for (const label of picker.querySelectorAll("label")) {
      const chosen = label.querySelector("input").checked;
      label.hidden = !chosen && !label.textContent.toLocaleLowerCase().includes(wanted);
    }
  });
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}

// Whose devices are meant, all of them, makes choosing among them idle.
const whose = document.querySelector("[data-whose]");

function chooseWhose() {
  const all = whose.value !== "";
  const picker = whose.form.querySelector('input[name="devices"]')?.closest("fieldset");
  if (picker) picker.disabled = all;
  const together = whose.form.querySelector("[data-of-all]");
  if (together) together.hidden = !all;
}

whose?.addEventListener("change", chooseWhose);
if (whose) chooseWhose();

const GONE = [401, 403, 404];
const job = document.querySelector("[data-job]");
const lost = document.querySelector("[data-live-lost]");

async function follow() {
  const answer = await fetch(`/api/jobs/${job.dataset.job}`).catch(() => null);
  // Signed out, or the job is gone: the page itself says so best.
  if (GONE.includes(answer?.status)) return location.reload();
  lost.hidden = Boolean(answer?.ok);
  if (answer?.ok) {
    const { status, progress } = await answer.json();
    job.querySelector("progress").value = progress;
    if (status !== "queued" && status !== "running") return location.reload();
  }
  setTimeout(follow, 500);
}

if (job) follow();
