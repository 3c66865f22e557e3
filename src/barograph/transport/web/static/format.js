// Numbers and times as the server writes them, for what arrives after the page.

const language = document.documentElement.lang;

/** A reading's value with about four significant digits; twin of `Language.value`. */
export function formatValue(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(Number(value));
  value += 0; // minus zero is zero
  const size = Math.abs(value);
  if (size && !(size >= 1e-4 && size < 1e9)) return value.toExponential(2).replace("e+", "e");
  return writer(decimals(size)).format(value);
}

/** The labels of an axis: as many decimals as its steps have, so that no two labels are the same. */
export function formatTicks(ticks) {
  const step = Math.abs(ticks[1] - ticks[0]);
  const places = [0, 1, 2, 3, 4, 5, 6].find((one) => Math.abs(step * 10 ** one - Math.round(step * 10 ** one)) < 1e-6 * step * 10 ** one);
  const plain = ticks.every((tick) => Math.abs(tick) < 1e9) && step >= 1e-4;
  const labels = places !== undefined && plain ? ticks.map((tick) => writer(places).format(tick + 0)) : [];
  return labels.length && labels.every((label) => label.length <= 9) ? labels : ticks.map(formatValue);
}

const writers = [];

/** Writes numbers with at most so many decimals; making one takes long. */
function writer(maximumFractionDigits) {
  return (writers[maximumFractionDigits] ??= new Intl.NumberFormat(language, { maximumFractionDigits, roundingMode: "halfEven" }));
}

function decimals(size) {
  if (size >= 1000) return 1;
  if (size >= 1 || !size) return size < 100 ? 2 : 1;
  return 2 - Math.floor(Math.log10(size));
}

const relative = new Intl.RelativeTimeFormat(language, {
  style: language === "en" ? "narrow" : "short",
});
const units = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

/** How long ago a moment (milliseconds) was. */
export function ago(moment) {
  const seconds = Math.max(1, Math.round((Date.now() - moment) / 1000));
  for (const [unit, length] of units) {
    if (seconds >= length) return relative.format(-Math.round(seconds / length), unit);
  }
  return relative.format(-seconds, "second");
}

// Day before month, as the server writes it.
const locale = language === "en" ? "en-GB" : language;
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const WRITTEN = {
  second: { ...CLOCK, second: "2-digit" },
  minute: CLOCK,
  day: { day: "numeric", month: "short" },
  month: { month: "short", year: "numeric" },
  date: { day: "numeric", month: "short", year: "numeric" },
};
const dateWriters = new Map();

/** Writes dates in the page's zone in one of the ways of `WRITTEN`; making one takes long. */
export function dateWriter(way) {
  if (!dateWriters.has(way)) dateWriters.set(way, new Intl.DateTimeFormat(locale, { timeZone: document.documentElement.dataset.zone, ...WRITTEN[way] }));
  return dateWriters.get(way);
}

/** A date and time of day; twin of `Language.moment`, which has neither the comma nor the “г.” of browsers. */
export function moment(seconds, { year = true } = {}) {
  const wanted = year ? ["day", "month", "year"] : ["day", "month"];
  const parts = dateWriter("date").formatToParts(seconds * 1000).filter(({ type }) => wanted.includes(type));
  return [...parts.map(({ value }) => shortened(value)), dateWriter("second").format(seconds * 1000)].join(" ");
}

/** The server, like most, writes September with three letters in English. */
export const shortened = (text) => text.replace("Sept", "Sep");
