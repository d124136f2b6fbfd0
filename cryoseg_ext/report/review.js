// The scripts of review.html are written into it one after another. This one: what review.py counts and draws.
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
const makeButton = (parent, text, act) => {
  const button = element("button", parent, text);
  button.type = "button";
  if (act) button.addEventListener("click", act);
  return button;
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
  usable: data.usable[number], verdict: data.verdicts[number],
}));
// Picks that were made by hand elsewhere, on micrographs without a picture.
for (const one of data.by_hand) rows[one.row].byHand = one;
for (const picture of data.pictures) {
  rows[picture.row].picture = picture;
  // By the number of a candidate, whether it is a pick where that is not what the threshold says.
  picture.chosen = new Map(picture.changed.map((i) => [i, picture.score[i] < data.threshold]));
  // What is no candidate, by numbers of its own.
  picture.added = new Map(picture.added.map(([x, y, score], i) => [`given ${i}`, { x, y, score }]));
}
let threshold = data.threshold;
const shownThreshold = () => threshold.toFixed(3).replace(/0$/, "");

const isAbove = (picture, i) => picture.score[i] >= threshold;
const isPicked = (picture, i) => picture.chosen.get(i) ?? isAbove(picture, i);
const isEdited = (picture) => picture.chosen.size + picture.added.size > 0;

function picksOf(picture) {
  const { x, y, score } = picture;
  const candidates = score.map((one, i) => ({ x: x[i], y: y[i], score: one }));
  return [...candidates.filter((_, i) => isPicked(picture, i)), ...picture.added.values()];
}

function countPicks() {
  const first = Math.round(threshold * bins);
  for (const row of rows) {
    let number = 0, sum = 0;
    if (row.picture) {
      for (const pick of picksOf(row.picture)) {
        number++;
        sum += pick.score;
      }
    } else if (row.byHand || threshold === data.threshold) {
      // The job's own threshold lies within a bin: its numbers are given exactly.
      number = data.picks[row.number];
      sum = data.mean_scores[row.number] * number;
    } else {
      for (let bin = first; bin < bins; bin++) {
        const count = scores[row.number * bins + bin];
        number += count;
        sum += count * (bin + 0.5) / bins;
      }
    }
    [row.picks, row.score] = [number, number ? sum / number : 0];
  }
}
