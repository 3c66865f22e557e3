// The chart as a picture to keep: its strips one below the other, with names and period.

const MARGIN = 16;
const HEAD = 44;
const CAPTION = 26;

export function savePng(section, strips, view, moment) {
  const shown = [...strips].filter(({ plot, spans }) => plot || spans);
  const ratio = devicePixelRatio;
  const style = getComputedStyle(section.querySelector("[data-strips]"));
  const width = section.querySelector("[data-strips]").clientWidth;
  const heights = shown.map(({ holder, timeline }) => CAPTION + (holder ?? timeline).clientHeight + 8);
  const canvas = document.createElement("canvas");
  canvas.width = (width + 2 * MARGIN) * ratio;
  canvas.height = (HEAD + heights.reduce((sum, one) => sum + one, 0) + MARGIN) * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = style.backgroundColor;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = "middle";
  write(pen, section.dataset.name, `600 17px ${style.fontFamily}`, style.color, MARGIN, HEAD / 2);
  const period = `${moment(view.start)} – ${moment(view.end)}`;
  pen.textAlign = "right";
  write(pen, period, `13px ${style.fontFamily}`, style.color, width + MARGIN, HEAD / 2);
  pen.textAlign = "left";
  let top = HEAD;
  shown.forEach((strip, i) => {
    const { label, unit } = strip.figure.dataset;
    const colour = getComputedStyle(strip.figure.querySelector(".strip-name")).color;
    write(pen, unit ? `${label}, ${unit}` : label, `600 13px ${style.fontFamily}`, colour, MARGIN, top + CAPTION / 2);
    if (strip.plot) {
      const { canvas: source } = strip.plot.ctx;
      pen.drawImage(source, MARGIN, top + CAPTION, source.width / devicePixelRatio, source.height / devicePixelRatio);
    } else {
      drawTimeline(pen, strip.timeline, top + CAPTION);
    }
    top += heights[i];
  });
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${section.dataset.name.replace(/[^\p{L}\p{N}._-]+/gu, "-")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}

function write(pen, text, font, colour, x, y) {
  pen.font = font;
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

function drawTimeline(pen, timeline, top) {
  const left = timeline.getBoundingClientRect().left;
  for (const bar of timeline.children) {
    const box = bar.getBoundingClientRect();
    const style = getComputedStyle(bar);
    pen.fillStyle = style.backgroundColor;
    pen.fillRect(MARGIN + 60 + box.left - left, top, box.width, box.height);
    if (bar.textContent) {
      pen.save();
      pen.rect(MARGIN + 60 + box.left - left, top, box.width, box.height);
      pen.clip();
      write(pen, bar.textContent, style.font, style.color, MARGIN + 66 + box.left - left, top + box.height / 2);
      pen.restore();
      pen.beginPath();
    }
  }
}
