// The pictures: enlarged by a click, and then edited by clicks on picks and on empty places.

// Of a pick that is added: no threshold drops it.
const HAND_SCORE = 1;
const MOST_DRAG_PX = 4;
let marked;
let nextAdded = 0;
let pressedAt = [0, 0];

function makePictures() {
  for (const picture of data.pictures) {
    const row = rows[picture.row];
    const figure = row.figure = document.createElement("figure");
    figure.id = `picture-${row.number}`;
    const [ny, nx] = picture.shape;
    figure.style.setProperty("--aspect", nx / ny);
    const layers = row.layers = makeButton(figure);
    layers.className = "layers";
    for (const [kind, source] of [["", picture.image], ["mask", picture.mask], ["dirt", picture.contaminated]]) {
      const image = element("img", layers);
      image.alt = "";
      image.draggable = false;
      image.className = kind;
      image.src = source;
    }
    const svg = svgElement("svg", { viewBox: `-0.5 -0.5 ${nx} ${ny}`, preserveAspectRatio: "none" }, layers);
    row.paths = Object.fromEntries(["picks", "faint", "refused", "mark", "cursor"].map((kind) => (
      [kind, svgElement("path", { class: kind }, svg)])));
    layers.addEventListener("pointerdown", (event) => { pressedAt = [event.clientX, event.clientY]; });
    layers.addEventListener("click", (event) => clicked(row, event));
    figure.addEventListener("keydown", (event) => pressed(row, event));
    row.caption = element("figcaption", figure);
    const bar = element("p", figure);
    bar.className = "bar";
    row.acceptHere = makeButton(bar, "Accept", () => decideOne(row, true));
    row.rejectHere = makeButton(bar, "Reject", () => decideOne(row, false));
    row.size = makeButton(bar, "", () => enlarge(row, !isLarge(row)));
    enlarge(row, false);
  }
}

const isLarge = (row) => row.figure.classList.contains("large");

function enlarge(row, large) {
  row.figure.classList.toggle("large", large);
  row.cursor = undefined;
  row.size.textContent = large ? "Smaller" : "Larger";
  row.layers.setAttribute("aria-label", large
    ? `Edit the picks of ${row.name}: arrow keys move a cross, n and p lead from pick to pick, Enter rejects, `
      + "takes back or adds, Escape ends"
    : `Enlarge ${row.name}`);
  drawRow(row);
}

function clicked(row, event) {
  if (!isLarge(row)) {
    enlarge(row, true);
    row.figure.scrollIntoView({ block: "nearest" });
    return;
  }
  if (byId("pictures").classList.contains("no-picks")) return;
  if (event.detail === 0) {
    // By the keyboard.
    if (row.cursor) editAt(row, ...row.cursor);
    return;
  }
  if (Math.hypot(event.clientX - pressedAt[0], event.clientY - pressedAt[1]) > MOST_DRAG_PX) return;
  const box = row.layers.getBoundingClientRect();
  const [ny, nx] = row.picture.shape;
  editAt(row, (event.clientX - box.left) / box.width * nx - 0.5, (event.clientY - box.top) / box.height * ny - 0.5);
}

// The nearest pick, refused pick or visible candidate within whose radius a place lies.
function hitAt(picture, x, y) {
  const withFaint = !byId("pictures").classList.contains("no-faint");
  let hit, least = Infinity;
  const look = (found, pick, diameter) => {
    const distance = Math.hypot(pick.x - x, pick.y - y);
    if (distance <= diameter / 2 && distance < least) [hit, least] = [found, distance];
  };
  picture.score.forEach((_, i) => {
    if (isPicked(picture, i) || picture.chosen.has(i) || withFaint)
      look({ candidate: i }, { x: picture.x[i], y: picture.y[i] }, picture.diameter[i]);
  });
  for (const [key, pick] of picture.added) look({ added: key }, pick, picture.size);
  return hit;
}

function editAt(row, x, y) {
  const picture = row.picture;
  const hit = hitAt(picture, x, y);
  if (hit?.candidate !== undefined) toggleCandidate(picture, hit.candidate);
  else if (hit) change([[picture.added, hit.added, undefined]]);
  else {
    const [ny, nx] = picture.shape;
    // As many digits as the files have.
    const within = (value, most) => Math.round(100 * Math.min(Math.max(value, 0), most)) / 100;
    const pick = { x: within(x, nx - 1), y: within(y, ny - 1), score: HAND_SCORE };
    change([[picture.added, `new ${nextAdded++}`, pick]]);
  }
}

function pressed(row, event) {
  if (event.key === "Escape" && isLarge(row)) {
    enlarge(row, false);
    row.layers.focus();
    return;
  }
  if (event.target === row.layers && isLarge(row) && moveCursor(row, event)) event.preventDefault();
  else decideByKey(row, event);
}

function moveCursor(row, event) {
  const [ny, nx] = row.picture.shape;
  const step = event.shiftKey ? 1 : row.picture.size / 4;
  const [x, y] = row.cursor ?? [(nx - 1) / 2, (ny - 1) / 2];
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (by) {
    row.cursor = [Math.min(Math.max(x + step * by[0], 0), nx - 1), Math.min(Math.max(y + step * by[1], 0), ny - 1)];
  } else if (event.key === "n" || event.key === "p") {
    const picks = picksOf(row.picture);
    if (!picks.length) return true;
    const now = picks.findIndex((pick) => row.cursor && pick.x === x && pick.y === y);
    const to = picks.at(event.key === "n" ? (now + 1) % picks.length : Math.max(now, 0) - 1);
    row.cursor = [to.x, to.y];
  } else return false;
  drawRow(row);
  return true;
}

function circle(x, y, diameter) {
  const r = diameter / 2;
  return `M${(x - r).toFixed(1)} ${y.toFixed(1)}a${r} ${r} 0 1 0 ${diameter} 0a${r} ${r} 0 1 0 ${-diameter} 0`;
}

function drawRow(row) {
  if (!row.figure) return;
  const { x, y, score, diameter, chosen, added, size } = row.picture;
  const drawn = { picks: "", faint: "", refused: "", mark: "", cursor: "" };
  score.forEach((_, i) => {
    const kind = isPicked(row.picture, i) ? "picks" : chosen.has(i) ? "refused" : "faint";
    drawn[kind] += circle(x[i], y[i], diameter[i]);
  });
  for (const pick of added.values()) drawn.picks += circle(pick.x, pick.y, size);
  if (marked?.picture === row.picture)
    drawn.mark = circle(x[marked.candidate], y[marked.candidate], 1.5 * diameter[marked.candidate]);
  if (row.cursor) {
    const [cx, cy] = row.cursor;
    drawn.cursor = `M${cx - size / 4} ${cy}h${size / 2}M${cx} ${cy - size / 4}v${size / 2}`;
  }
  for (const [kind, path] of Object.entries(row.paths))
    if (path.getAttribute("d") !== drawn[kind]) path.setAttribute("d", drawn[kind]);
  row.figure.classList.toggle("rejected", isRejected(row));
  showDecision(row, row.acceptHere, row.rejectHere);
  row.caption.textContent = `${row.name}: ${plural(row.picks, "pick")}, mean score ${row.score.toFixed(3)}, `
    + `contaminated ${percent(row.contaminated)} %${isEdited(row.picture) ? "; picks edited" : ""}`;
}

const drawPictures = () => rows.forEach(drawRow);
