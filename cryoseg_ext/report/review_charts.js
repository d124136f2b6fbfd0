// The histograms.

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

const charts = [0, 1, 2].map(() => element("figure", byId("histograms")));

// Of all micrographs that are not rejected, how many candidates lie in each bin of the score.
function allScores(kept) {
  const counts = new Array(bins).fill(0);
  for (const row of kept)
    for (let bin = 0; bin < bins; bin++) counts[bin] += scores[row.number * bins + bin];
  return counts;
}

function drawHistograms(kept) {
  const most = roundUp(kept.reduce((high, row) => Math.max(high, row.picks), 9) + 1);
  histogram(charts[0], binned(kept.map((row) => row.picks), Math.min(40, most), most), most,
    "picks per micrograph", "micrographs");
  histogram(charts[1], allScores(kept), 1, `score; threshold ${shownThreshold()}`, "candidates", threshold);
  histogram(charts[2], binned(kept.map((row) => 100 * row.contaminated), 40, 100), 100,
    "contaminated area, %", "micrographs");
}
