// Where on its track a device was at the moment that the chart's cursor points at.

let drawn = null;
let points = [];

export function markTrack(time) {
  const track = document.querySelector("[data-track]");
  if (!track) return;
  if (track !== drawn) {
    drawn = track;
    points = track.dataset.track.split(" ").map((point) => point.split(",").map(Number));
  }
  const marker = track.querySelector("[data-track-now]");
  if (time === null || !points.length) return marker.setAttribute("visibility", "hidden");
  let low = 0;
  for (let high = points.length - 1; low < high; ) {
    const middle = (low + high + 1) >> 1;
    if (points[middle][0] <= time) low = middle;
    else high = middle - 1;
  }
  marker.setAttribute("cx", points[low][1]);
  marker.setAttribute("cy", points[low][2]);
  marker.setAttribute("visibility", "visible");
}
