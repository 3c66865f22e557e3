// Says that an answer takes long, and that the server does not give one.

const SLOW_MS = 1000;
const slow = document.querySelector("[data-live-slow]");
const lost = document.querySelector("[data-live-lost]");
const late = new Set();

/** Say "Loading…" if what begins now takes long. Call what this returns when it has ended: with
 *  whether the server answered, or with nothing where that is not known. */
export function waiting() {
  const mine = Symbol();
  const timer = setTimeout(() => {
    late.add(mine);
    slow.hidden = false;
  }, SLOW_MS);
  return (answered) => {
    clearTimeout(timer);
    late.delete(mine);
    slow.hidden = late.size === 0;
    if (answered !== undefined) lost.hidden = answered;
  };
}
