// The script of review.html, which it is written into; `data` is what review.py counts and draws.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const svgElement = (name, attributes, parent) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return parent.appendChild(element);
};
const element = (name, parent, text) => {
  const made = parent.appendChild(document.createElement(name));
  if (text !== undefined) made.textContent = text;
  return made;
};
const whole = (number) => number.toLocaleString("en");
const percent = (share) => (100 * share).toFixed(1);
const byName = new Intl.Collator("en", { numeric: true }).compare;
const plural = (number, thing) => `${whole(number)} ${thing}${number === 1 ? "" : "s"}`;

// Scores of all candidates: for each micrograph how many lie in each bin of 0 to 1. A count is one byte, or 255
// and two more.
const bins = data.score_bins;
const scores = new Uint16Array(data.names.length * bins);
const bytes = atob(data.score_counts);
for (let at = 0, count = 0; count < scores.length; count++) {
  const byte = bytes.charCodeAt(at++);
  scores[count] = byte < 255 ? byte : bytes.charCodeAt(at++) + 256 * bytes.charCodeAt(at++);
}
const rows = data.names.map((name, number) => ({
  number, name, picks: data.picks[number], score: data.mean_scores[number],
  contaminated: data.contaminated[number], film: data.film[number], dead: data.dead[number],
  usable: data.usable[number],
}));
const columns = [
  ["name", "Micrograph", (value) => value],
  ["picks", "Picks", whole],
  ["score", "Mean score", (value) => value.toFixed(3)],
  ["contaminated", "Contaminated, %", percent],
  ["film", "Film, %", percent],
  ["dead", "Dead, %", percent],
  ["usable", "Usable, %", percent],
];
let threshold = data.threshold;
let sorting = { key: "number", falling: false };
// A browser takes seconds to lay out a longer table.
let mostLines = 1000;

function countPicks() {
  if (threshold === data.threshold) {
    // The job's own threshold lies within a bin: its numbers are given exactly.
    for (const row of rows) [row.picks, row.score] = [data.picks[row.number], data.mean_scores[row.number]];
    return;
  }
  const first = Math.round(threshold * bins);
  for (const row of rows) {
    let number = 0, sum = 0;
    for (let bin = first; bin < bins; bin++) {
      const count = scores[row.number * bins + bin];
      number += count;
      sum += count * (bin + 0.5);
    }
    [row.picks, row.score] = [number, number ? sum / bins / number : 0];
  }
}

function histogram(figure, counts, to, label, ofWhat, limit) {
  const [width, height, left, bottom] = [420, 190, 46, 36];
  const most = Math.max(1, ...counts);
  const x = (value) => left + (width - left - 8) * value / to;
  const y = (count) => height - bottom - (height - bottom - 16) * count / most;
  figure.replaceChildren();
  const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, figure);
  const step = to / counts.length;
  counts.forEach((count, bin) => svgElement("rect", {
    x: x(bin * step), width: x(step) - left - 0.5, y: y(count), height: height - bottom - y(count),
  }, svg));
  svgElement("path", { class: "axis", d: `M${left} 16V${height - bottom}H${width - 8}` }, svg);
  const text = (words, x, y, anchor) => svgElement("text", { x, y, "text-anchor": anchor }, svg).append(words);
  for (const value of [0, to / 2, to])
    text(whole(value), x(value), height - bottom + 14, value === to ? "end" : "middle");
  text(label, (left + width) / 2, height - 6, "middle");
  text(whole(most), left - 5, 22, "end");
  text("0", left - 5, height - bottom, "end");
  text(ofWhat, left, 11, "start");
  if (limit !== undefined)
    svgElement("path", { class: "limit", d: `M${x(limit)} 16V${height - bottom}` }, svg);
}

function roundUp(number) {
  const ten = 10 ** Math.floor(Math.log10(number));
  return [1, 2, 4, 6, 8, 10].find((times) => times * ten >= number) * ten;
}

function binned(values, number, to) {
  const counts = new Array(number).fill(0);
  for (const value of values) counts[Math.min(number - 1, Math.floor(value / to * number))]++;
  return counts;
}

const allScores = new Array(bins).fill(0);
scores.forEach((count, index) => { allScores[index % bins] += count; });
const charts = [0, 1, 2].map(() => element("figure", byId("histograms")));

function drawHistograms() {
  const most = roundUp(rows.reduce((high, row) => Math.max(high, row.picks), 9) + 1);
  histogram(charts[0], binned(rows.map((row) => row.picks), Math.min(40, most), most), most,
    "picks per micrograph", "micrographs");
  histogram(charts[1], allScores, 1, `score; threshold ${shownThreshold()}`, "candidates", threshold);
  histogram(charts[2], binned(rows.map((row) => 100 * row.contaminated), 40, 100), 100,
    "contaminated area, %", "micrographs");
}

const shownThreshold = () => threshold.toFixed(3).replace(/0$/, "");

function makeTable() {
  const head = document.querySelector("thead tr");
  for (const [key, label] of columns) {
    const heading = element("th", head);
    heading.scope = "col";
    heading.dataset.key = key;
    const button = element("button", heading, label);
    button.type = "button";
    // Numbers are of interest from the highest down, names from A.
    button.addEventListener("click", () => {
      const again = sorting.key === key;
      sorting = { key, falling: again ? !sorting.falling : key !== "name" };
      sort();
    });
  }
}

// Made when it is first shown: with many thousands, most never are.
function lineOf(row) {
  if (row.line) return row.line;
  row.line = document.createElement("tr");
  row.cells = columns.map(([key, , shown]) => {
    const cell = element("td", row.line);
    if (key === "name" && row.figure) element("a", cell, row.name).href = `#picture-${row.number}`;
    else cell.textContent = shown(row[key]);
    return cell;
  });
  return row.line;
}

function sort() {
  const { key, falling } = sorting;
  const inOrder = [...rows].sort((a, b) => {
    const order = key === "name" ? byName(a.name, b.name) : a[key] - b[key];
    return (falling ? -order : order) || a.number - b.number;
  });
  document.querySelector("tbody").replaceChildren(...inOrder.slice(0, mostLines).map(lineOf));
  byId("pictures").replaceChildren(...inOrder.filter((row) => row.figure).map((row) => row.figure));
  for (const heading of document.querySelectorAll("thead th")) {
    if (heading.dataset.key === key) heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
}

function makePictures() {
  for (const picture of data.pictures) {
    const row = rows[picture.row];
    row.figure = document.createElement("figure");
    row.figure.id = `picture-${row.number}`;
    const layers = element("button", row.figure);
    layers.type = "button";
    layers.className = "layers";
    layers.setAttribute("aria-label", `Enlarge ${row.name}`);
    layers.addEventListener("click", () => row.figure.classList.toggle("large"));
    for (const [kind, source] of [["", picture.image], ["mask", picture.mask], ["dirt", picture.contaminated]]) {
      const image = element("img", layers);
      image.alt = "";
      image.className = kind;
      image.src = source;
    }
    const [ny, nx] = picture.shape;
    const svg = svgElement("svg", { viewBox: `-0.5 -0.5 ${nx} ${ny}`, preserveAspectRatio: "none" }, layers);
    row.circles = svgElement("path", {}, svg);
    row.picture = picture;
    row.caption = element("figcaption", row.figure);
  }
}

function drawPicks() {
  for (const row of rows) {
    if (!row.figure) continue;
    const { x, y, score, diameter } = row.picture;
    let d = "";
    for (let i = 0; i < x.length; i++) {
      const r = diameter[i] / 2;
      if (score[i] >= threshold)
        d += `M${x[i] - r} ${y[i]}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
    }
    row.circles.setAttribute("d", d);
    row.caption.textContent = `${row.name}: ${plural(row.picks, "pick")}, mean score ${row.score.toFixed(3)}, ` +
      `contaminated ${percent(row.contaminated)} %`;
  }
}

function show() {
  countPicks();
  for (const row of rows) {
    if (!row.cells) continue;
    row.cells[1].textContent = whole(row.picks);
    row.cells[2].textContent = row.score.toFixed(3);
  }
  const total = rows.reduce((sum, row) => sum + row.picks, 0);
  byId("summary").textContent =
    `${plural(total, "pick")} on ${plural(rows.length, "micrograph")} with a score of ${shownThreshold()} or more`;
  byId("chosen").textContent = shownThreshold();
  byId("reset").disabled = threshold === data.threshold;
  byId("advice").textContent = threshold === data.threshold
    ? "Move the threshold to see what it changes. This page changes no files."
    : `To keep this threshold, give the job the option threshold ${shownThreshold()} and run it again in the ` +
      "same folder: only the lists are written anew.";
  drawHistograms();
  drawPicks();
}

document.title = data.title;
byId("title").textContent = data.title;
byId("sample").textContent = data.pictures.length === rows.length
  ? "Pictures" : `Pictures of ${data.pictures.length} of the ${plural(rows.length, "micrograph")}`;
if (data.skipped.length) {
  byId("skipped").hidden = false;
  document.querySelector("#skipped h2").textContent = `${plural(data.skipped.length, "micrograph")} skipped`;
  for (const reason of data.skipped) element("li", document.querySelector("#skipped ul"), reason);
}
makePictures();
makeTable();
byId("threshold").value = data.threshold;
let waiting = false;
byId("threshold").addEventListener("input", () => {
  threshold = +byId("threshold").value;
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; show(); });
});
byId("threshold").addEventListener("change", sort);
byId("all").textContent = `The table shows ${mostLines} of ${plural(rows.length, "micrograph")}: show all`;
byId("all").hidden = rows.length <= mostLines;
byId("all").addEventListener("click", () => {
  mostLines = rows.length;
  byId("all").hidden = true;
  sort();
});
byId("reset").addEventListener("click", () => {
  threshold = data.threshold;
  byId("threshold").value = threshold;
  show();
  sort();
});
for (const box of document.querySelectorAll("[data-hides]"))
  box.addEventListener("change", () => byId("pictures").classList.toggle(box.dataset.hides, !box.checked));
show();
sort();
