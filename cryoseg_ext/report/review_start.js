// Everything is shown, and shown again when the threshold or a decision changes.

function show() {
  countPicks();
  const kept = rows.filter((row) => !isRejected(row));
  const total = kept.reduce((sum, row) => sum + row.picks, 0);
  byId("summary").textContent =
    `${plural(total, "pick")} on ${plural(kept.length, "micrograph")} with a score of ${shownThreshold()} or more`;
  byId("chosen").textContent = shownThreshold();
  byId("reset").disabled = threshold === data.threshold;
  byId("advice").textContent = threshold === data.threshold
    ? "Move the threshold to see what it changes. This page changes no files."
    : `To keep this threshold, give the job the option threshold ${shownThreshold()} and run it again in the `
      + "same folder: only the lists are written anew.";
  rows.forEach(showLine);
  drawHistograms(kept);
  drawPictures();
  showGallery();
  showEdits();
  showCommands();
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
for (const box of document.querySelectorAll("[data-hides]")) {
  const hide = () => byId("pictures").classList.toggle(box.dataset.hides, !box.checked);
  box.addEventListener("change", hide);
  hide();
}
byId("threshold").value = data.threshold;
let waiting = false;
byId("threshold").addEventListener("input", () => {
  threshold = +byId("threshold").value;
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; show(); });
});
byId("threshold").addEventListener("change", sort);
byId("reset").addEventListener("click", () => {
  threshold = data.threshold;
  byId("threshold").value = threshold;
  show();
  sort();
});
makePictures();
makeTable();
makeFilter();
makeGallery();
makeAverages();
makeDownloads();
show();
sort();
