// What is decided by hand: changes of maps, each of which can be undone.

// By the number of a micrograph, whether it is accepted.
const decisions = new Map(data.decided);
const done = [], undone = [];
let savedChange;

// Each step is a map, a key, and its new value, undefined for none.
function change(steps) {
  const real = steps.map(([map, key, after]) => ({ map, key, after, before: map.get(key) }))
    .filter(({ before, after }) => before !== after);
  if (!real.length) return;
  done.push(real);
  undone.length = 0;
  put(real, "after");
}

function put(steps, which) {
  for (const step of steps) {
    if (step[which] === undefined) step.map.delete(step.key);
    else step.map.set(step.key, step[which]);
  }
  show();
}

function undo() {
  if (!done.length) return;
  undone.push(done.pop());
  put(undone.at(-1), "before");
}

function redo() {
  if (!undone.length) return;
  done.push(undone.pop());
  put(done.at(-1), "after");
}

const isUnsaved = () => done.at(-1) !== savedChange;
const isRejected = (row) => decisions.get(row.number) === false;
const editedRows = () => rows.filter((row) => row.byHand || (row.picture && isEdited(row.picture)));

function decide(chosen, accepted) {
  change(chosen.map((row) => [decisions, row.number, accepted]));
}

// Pressing a decision once more takes it back.
function decideOne(row, accepted) {
  decide([row], decisions.get(row.number) === accepted ? undefined : accepted);
}

function decideByKey(row, event) {
  const accepted = { a: true, r: false, u: undefined };
  const key = event.key.toLowerCase();
  if (!(key in accepted) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  decide([row], accepted[key]);
}

function toggleCandidate(picture, i) {
  const picked = !isPicked(picture, i);
  change([[picture.chosen, i, picked === isAbove(picture, i) ? undefined : picked]]);
}

function showDecision(row, accept, reject) {
  accept.setAttribute("aria-pressed", decisions.get(row.number) === true);
  reject.setAttribute("aria-pressed", isRejected(row));
}

function showEdits() {
  byId("undo").disabled = !done.length;
  byId("redo").disabled = !undone.length;
  const accepted = [...decisions.values()].filter(Boolean).length;
  const words = [
    [accepted, plural(accepted, "micrograph"), "accepted"],
    [decisions.size - accepted, plural(decisions.size - accepted, "micrograph"), "rejected"],
    [editedRows().length, `picks of ${plural(editedRows().length, "micrograph")}`, "edited"],
  ].filter(([number]) => number).map(([, what, how]) => `${what} ${how}`);
  byId("edits").textContent = words.length ? `${words.join(", ")}${isUnsaved() ? "; not saved" : ""}` : "";
}

document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || !"zy".includes(key) || event.target.matches("[type=search]")) return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) redo();
  else undo();
});
window.addEventListener("beforeunload", (event) => {
  if (!isUnsaved()) return;
  event.preventDefault();
  // What older browsers heed.
  event.returnValue = true;
});
