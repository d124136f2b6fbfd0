// The table of all micrographs: sorted, filtered, and where they are accepted and rejected.

const columns = [
  ["name", "Micrograph", (value) => value],
  ["picks", "Picks", whole],
  ["score", "Mean score", (value) => value.toFixed(3)],
  ["contaminated", "Contaminated, %", percent],
  ["film", "Film, %", percent],
  ["dead", "Dead, %", percent],
  ["usable", "Usable, %", percent],
  ["verdict", "Verdict", (value) => value],
  ["decision", "Decision", undefined],
];
let sorting = { key: "number", falling: false };
// A browser takes seconds to lay out a longer table.
let mostLines = 1000;
let listed = rows;

const texts = ["name", "verdict"];
const valueOf = (row, key) => {
  if (key !== "decision") return row[key];
  return decisions.has(row.number) ? (decisions.get(row.number) ? 1 : -1) : 0;
};

function makeTable() {
  const head = document.querySelector("thead tr");
  for (const [key, label] of columns) {
    const heading = element("th", head);
    heading.scope = "col";
    heading.dataset.key = key;
    // Numbers are of interest from the highest down, names from A.
    makeButton(heading, label, () => {
      const again = sorting.key === key;
      sorting = { key, falling: again ? !sorting.falling : !texts.includes(key) };
      sort();
    });
    if (![...texts, "decision"].includes(key)) element("option", byId("filter-column"), label).value = key;
  }
  const body = document.querySelector("tbody");
  const rowOf = (event) => rows[event.target.closest("tr").dataset.number];
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) decideOne(rowOf(event), button.dataset.accepts === "yes");
  });
  body.addEventListener("keydown", (event) => {
    const line = event.target.closest("tr");
    const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
    if (next) {
      event.preventDefault();
      next.focus();
    } else decideByKey(rowOf(event), event);
  });
  // Tab leads to one line of the table only, from which the arrow keys lead on.
  body.addEventListener("focusin", (event) => {
    for (const line of body.querySelectorAll("tr[tabindex='0']")) line.tabIndex = -1;
    event.target.closest("tr").tabIndex = 0;
  });
}

// Made when it is first shown: with many thousands, most never are.
function lineOf(row) {
  if (row.line) return row.line;
  row.line = document.createElement("tr");
  row.line.dataset.number = row.number;
  row.line.tabIndex = -1;
  row.cells = columns.map(([key, , shown]) => {
    const cell = element("td", row.line);
    if (key === "decision") {
      [row.accept, row.reject] = [["✓", "yes", "Accept"], ["✗", "no", "Reject"]].map(([sign, accepts, word]) => {
        const button = makeButton(cell, sign);
        button.dataset.accepts = accepts;
        button.tabIndex = -1;
        button.setAttribute("aria-label", `${word} ${row.name}`);
        return button;
      });
    } else if (key === "name" && row.figure) element("a", cell, row.name).href = `#picture-${row.number}`;
    else cell.textContent = shown(row[key]);
    return cell;
  });
  showLine(row);
  return row.line;
}

function showLine(row) {
  if (!row.cells) return;
  const values = [whole(row.picks), row.score.toFixed(3), decisions.get(row.number)];
  // What has not changed need not be laid out again.
  if (row.shown?.every((value, i) => value === values[i])) return;
  row.shown = values;
  [row.cells[1].textContent, row.cells[2].textContent] = values;
  row.line.className = isRejected(row) ? "rejected" : "";
  showDecision(row, row.accept, row.reject);
}

function isWanted(row) {
  const decision = byId("filter-decision").value;
  if (decision && { accepted: 1, rejected: -1, undecided: 0 }[decision] !== valueOf(row, "decision")) return false;
  const words = byId("filter-name").value.trim().toLowerCase();
  if (!texts.some((key) => row[key].toLowerCase().includes(words))) return false;
  const [key, limit] = [byId("filter-column").value, byId("filter-value").valueAsNumber];
  if (!key || Number.isNaN(limit)) return true;
  const value = ["picks", "score"].includes(key) ? row[key] : 100 * row[key];
  return byId("filter-way").value === "more" ? value > limit : value < limit;
}

function sort() {
  const { key, falling } = sorting;
  listed = rows.filter(isWanted).sort((a, b) => {
    const order = texts.includes(key) ? byName(a[key], b[key]) : valueOf(a, key) - valueOf(b, key);
    return (falling ? -order : order) || a.number - b.number;
  });
  const lines = listed.slice(0, mostLines).map(lineOf);
  lines.forEach((line, number) => { line.tabIndex = number ? -1 : 0; });
  document.querySelector("tbody").replaceChildren(...lines);
  byId("pictures").replaceChildren(...listed.filter((row) => row.figure).map((row) => row.figure));
  for (const heading of document.querySelectorAll("thead th")) {
    if (heading.dataset.key === key) heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
  byId("all").textContent = `The table shows ${whole(mostLines)} of ${plural(listed.length, "micrograph")}: show all`;
  byId("all").hidden = listed.length <= mostLines;
  byId("filtered").textContent = listed.length < rows.length
    ? `${whole(listed.length)} of ${plural(rows.length, "micrograph")}` : plural(rows.length, "micrograph");
}

function makeFilter() {
  for (const id of ["filter-name", "filter-column", "filter-way", "filter-value", "filter-decision"])
    byId(id).addEventListener("input", sort);
  byId("accept-all").addEventListener("click", () => decide(listed, true));
  byId("reject-all").addEventListener("click", () => decide(listed, false));
  byId("undecide-all").addEventListener("click", () => decide(listed, undefined));
  byId("all").addEventListener("click", () => {
    mostLines = rows.length;
    sort();
  });
}
