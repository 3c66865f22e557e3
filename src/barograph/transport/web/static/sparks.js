// The small curves of the overview follow what comes: the newest value is drawn at their right end.
//
// A curve is a day wide, so it moves by a pixel in some minutes: the whole list is asked for anew only
// now and then, or soon where a value lies beyond what the curve was drawn for.

import { onReading } from "./live.js";

const drawn = new WeakMap();
let beyond = () => {};

/** Have `listener` called when a curve has to be drawn anew. */
export function onBeyond(listener) {
  beyond = listener;
}

onReading(({ device, metric, value, late }) => {
  if (late || typeof value === "string") return;
  const spark = document.querySelector(`svg[data-spark="${device}"]`);
  if (spark?.dataset.metric !== metric) return;
  const { top, bottom } = spark.dataset;
  const { width, height } = spark.viewBox.baseVal;
  if (!(value <= Number(top) && value >= Number(bottom))) return beyond();
  const line = spark.querySelector(".line");
  // What is not as it was drawn here came anew with the list.
  const now = line.getAttribute("d");
  const before = drawn.get(line);
  const base = before?.now === now ? before.base : now;
  const y = ((top - value) / (top - bottom)) * height;
  line.setAttribute("d", `${base}L${width},${y.toFixed(1)}`);
  drawn.set(line, { base, now: line.getAttribute("d") });
});
