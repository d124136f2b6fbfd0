// The particles themselves: a row of random ones for each tenth of the score, all of them in order, and averages.

const [IN_BAND, MORE_BOXES, BOX_SHOWN_PX] = [24, 96, 56];
const boxes = data.pictures.flatMap((picture) => (picture.boxes?.candidates ?? []).map((candidate, at) => ({
  picture, candidate, at, row: rows[picture.row], score: picture.score[candidate],
})));
let shownBoxes = [];
let mostBoxes = MORE_BOXES;
// The same at each opening; "others" takes the next numbers.
let seed = 1;
const random = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

function shuffled(values) {
  const mixed = [...values];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
  }
  return mixed;
}

function makeGallery() {
  byId("gallery").hidden = !boxes.length;
  if (!boxes.length) return;
  const style = element("style", document.head);
  data.pictures.forEach((picture, number) => {
    if (!picture.boxes) return;
    picture.sprite = `sprite-${number}`;
    const width = picture.boxes.columns * BOX_SHOWN_PX;
    style.append(`.${picture.sprite}{background-image:url(${picture.boxes.image});background-size:${width}px auto}\n`);
  });
  byId("others").addEventListener("click", fillBands);
  byId("order").addEventListener("input", () => {
    mostBoxes = MORE_BOXES;
    fillBoxes();
  });
  byId("more-boxes").addEventListener("click", () => {
    mostBoxes += MORE_BOXES;
    fillBoxes();
  });
  fillBands();
  fillBoxes();
}

function boxButton(box, parent) {
  const { boxes: { columns }, sprite } = box.picture;
  const button = makeButton(parent, "", () => {
    toggleCandidate(box.picture, box.candidate);
    mark(box);
  });
  button.className = `box ${sprite}`;
  button.style.backgroundPosition =
    `${-BOX_SHOWN_PX * (box.at % columns)}px ${-BOX_SHOWN_PX * Math.floor(box.at / columns)}px`;
  button.title = `${box.score.toFixed(3)}, ${box.row.name}`;
  button.setAttribute("aria-label", `score ${box.score.toFixed(2)}`);
  shownBoxes.push({ box, button });
  showBox({ box, button });
}

function showBox({ box, button }) {
  const picked = isPicked(box.picture, box.candidate) && !isRejected(box.row);
  button.setAttribute("aria-pressed", picked);
  button.classList.toggle("by-hand", box.picture.chosen.has(box.candidate));
}

function fillBands() {
  shownBoxes = shownBoxes.filter(({ button }) => !byId("bands").contains(button));
  byId("bands").replaceChildren();
  const counts = allScores(rows);
  for (let band = 9; band >= 0; band--) {
    const bandOf = (box) => Math.min(9, Math.floor(10 * box.score + 1e-6));
    const inBand = shuffled(boxes.filter((box) => bandOf(box) === band)).slice(0, IN_BAND);
    const number = counts.slice(band * bins / 10, (band + 1) * bins / 10).reduce((sum, one) => sum + one, 0);
    if (!number && !inBand.length) continue;
    const line = element("div", byId("bands"));
    line.dataset.band = band;
    element("span", line, `${(band / 10).toFixed(1)} to ${((band + 1) / 10).toFixed(1)}`);
    element("small", line, plural(number, "candidate"));
    const strip = element("div", line);
    strip.className = "boxes";
    for (const box of inBand) boxButton(box, strip);
  }
  showBands();
}

function showBands() {
  for (const line of byId("bands").children) {
    const [low, high] = [line.dataset.band / 10, (+line.dataset.band + 1) / 10];
    line.className = threshold >= high ? "cut" : threshold > low ? "divided" : "";
  }
}

function fillBoxes() {
  const order = {
    best: (a, b) => b.score - a.score,
    worst: (a, b) => a.score - b.score,
    near: (a, b) => Math.abs(a.score - threshold) - Math.abs(b.score - threshold),
  }[byId("order").value];
  shownBoxes = shownBoxes.filter(({ button }) => !byId("all-boxes").contains(button));
  byId("all-boxes").replaceChildren();
  for (const box of [...boxes].sort(order).slice(0, mostBoxes)) boxButton(box, byId("all-boxes"));
  byId("more-boxes").hidden = mostBoxes >= boxes.length;
  byId("more-boxes").textContent = `Show more of the ${whole(boxes.length)} boxes`;
}

// Show where the particle of a box lies: in the small picture beside the gallery, and in its own one.
function mark(box) {
  const before = marked?.row;
  marked = box;
  if (before) drawRow(before);
  drawRow(box.row);
  const { picture, candidate } = box;
  const [ny, nx] = picture.shape;
  const located = byId("located");
  located.replaceChildren();
  const svg = svgElement("svg", { viewBox: `-0.5 -0.5 ${nx} ${ny}` }, located);
  svgElement("image", { href: picture.image, x: -0.5, y: -0.5, width: nx, height: ny, preserveAspectRatio: "none" }, svg);
  svgElement("path", { class: "mark", d: circle(picture.x[candidate], picture.y[candidate], 1.5 * picture.diameter[candidate]) }, svg);
  const caption = element("figcaption", located);
  element("a", caption, box.row.name).href = `#${box.row.figure.id}`;
  caption.append(`: score ${box.score.toFixed(3)}, ${isPicked(picture, candidate) ? "picked" : "not picked"}`);
}

function showGallery() {
  shownBoxes.forEach(showBox);
  showBands();
}

function makeAverages() {
  byId("averages").hidden = !data.averages.length;
  const total = data.averages.reduce((sum, one) => sum + one.number, 0);
  for (const one of data.averages) {
    const figure = element("figure", document.querySelector("#averages div"));
    const image = element("img", figure);
    image.src = one.image;
    image.alt = `Average of ${plural(one.number, "particle")}`;
    element("figcaption", figure, `${whole(one.number)} (${(100 * one.number / total).toFixed(0)} %)`);
  }
}
