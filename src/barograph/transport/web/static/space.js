// A path in space that can be turned. The server draws the first view of it.

const CORNERS = [-1, 1].flatMap((x) => [-1, 1].flatMap((y) => [-1, 1].map((z) => [x, y, z])));
const EDGES = CORNERS.flatMap((a) => CORNERS.filter((b) => a.filter((one, i) => one < b[i]).length === 1 && a.every((one, i) => one <= b[i])).map((b) => [a, b]));
const LETTERS = [[1.2, -1, -1], [-1, 1.2, -1], [-1, -1, 1.2]];
let turn = -0.6;
let tilt = 0.45;

export function turnable() {
  const picture = document.querySelector("[data-space]:not([tabindex])");
  if (!picture) return;
  const points = picture.dataset.space.split(" ").map((point) => point.split(",").map(Number));
  document.querySelector("[data-space-hint]").hidden = false;
  picture.setAttribute("tabindex", "0");
  picture.addEventListener("pointerdown", (event) => picture.setPointerCapture(event.pointerId));
  picture.addEventListener("pointermove", (event) => {
    if (event.buttons) rotate(event.movementX / 120, event.movementY / 120);
  });
  picture.addEventListener("keydown", (event) => {
    const [right, down] = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key] ?? [0, 0];
    if (!right && !down) return;
    event.preventDefault();
    rotate(right, down);
  });
  const rotate = (right, down) => {
    turn += right;
    tilt = Math.max(-1.5, Math.min(1.5, tilt + down));
    draw(picture, points);
  };
  if (turn !== -0.6 || tilt !== 0.45) draw(picture, points);
}

function draw(picture, points) {
  const size = picture.viewBox.baseVal.width;
  picture.querySelector(".frame").setAttribute("d", EDGES.map((edge) => path(edge, size)).join(""));
  picture.querySelector(".way").setAttribute("d", path(points.length > 1 ? points : [...points, ...points], size));
  picture.querySelectorAll("text").forEach((text, i) => {
    const [x, y] = seen(LETTERS[i], size);
    text.setAttribute("x", x);
    text.setAttribute("y", y);
  });
}

function path(points, size) {
  return `M${points.map((point) => seen(point, size).join(",")).join("L")}`;
}

/** Where a point from -1 to 1 is in the picture; twin of `_seen` in `positions.py`. */
function seen([x, y, z], size) {
  const right = x * Math.cos(turn) - y * Math.sin(turn);
  const away = x * Math.sin(turn) + y * Math.cos(turn);
  const up = z * Math.cos(tilt) + away * Math.sin(tilt);
  return [size / 2 + right * size * 0.28, size / 2 - up * size * 0.28].map((one) => Math.round(one * 10) / 10);
}
