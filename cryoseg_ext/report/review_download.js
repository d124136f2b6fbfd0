// What was decided, as files, and the commands that use them.

const starName = (name) => {
  if (!/[\s"'#]/.test(name) && name) return name;
  return name.includes('"') ? `'${name}'` : `"${name}"`;
};
const shellWord = (word) => (/^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
const csvName = (name) => (/[",\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);

// The picks of all micrographs whose picks were edited and that are not rejected.
function editedPicks() {
  return editedRows().filter((row) => !isRejected(row)).map((row) => {
    const { byHand } = row;
    const picks = byHand
      ? byHand.x.map((x, i) => ({ x, y: byHand.y[i], score: byHand.score[i] })) : picksOf(row.picture);
    return { row, picks: picks.sort((a, b) => b.score - a.score) };
  });
}

function starText() {
  const table = (name, labels, lines) => [
    `\ndata_${name}\n\nloop_\n`, ...labels.map((label, i) => `_${label} #${i + 1}\n`), ...lines, "\n",
  ].join("");
  const edited = new Set(editedRows());
  const decided = rows.filter((row) => decisions.has(row.number) || edited.has(row));
  const micrographs = decided.map((row) => (
    `${starName(row.name)} ${isRejected(row) ? 0 : 1} ${edited.has(row) ? 1 : 0}\n`));
  const particles = editedPicks().flatMap(({ row, picks }) => picks.map(({ x, y, score }) => (
    `${starName(row.name)} ${x.toFixed(2)} ${y.toFixed(2)} ${score.toFixed(6)}\n`)));
  return `# ${data.title.replaceAll("\n", " ")}, decided by hand at a threshold of ${threshold}\n`
    + table("micrographs", ["rlnMicrographName", "rlnSelected", "cryosegEdited"], micrographs)
    + table("particles",
      ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"], particles);
}

function csvText() {
  const lines = editedPicks().flatMap(({ row, picks }) => picks.map(({ x, y, score }) => (
    `${csvName(row.name)},${x.toFixed(2)},${y.toFixed(2)},${score.toFixed(6)}\n`)));
  return ["micrograph,x,y,score\n", ...lines].join("");
}

function download(name, text) {
  const link = document.createElement("a");
  link.download = name;
  link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function makeDownloads() {
  byId("star").addEventListener("click", () => {
    download(`${data.file}.star`, starText());
    savedChange = done.at(-1);
    showEdits();
  });
  byId("csv").addEventListener("click", () => download(`${data.file}.csv`, csvText()));
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
  for (const [title] of data.commands) {
    const part = element("div", byId("commands"));
    element("h3", part, title);
    const code = element("code", part);
    const button = makeButton(part, "Copy", () => copy(code, button));
  }
  byId("in-relion").hidden = !data.commands.some(([, command]) => command.startsWith("cryoseg-relion"));
  byId("no-command").hidden = data.commands.length > 0;
}

async function copy(code, button) {
  getSelection().selectAllChildren(code);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Selected: copy it with Ctrl+C";
  }
}

function showCommands() {
  document.querySelectorAll("#commands code").forEach((code, i) => {
    code.textContent = data.commands[i][1]
      .replace("{edits}", () => shellWord(`${data.file}.star`)).replace("{threshold}", threshold);
  });
  for (const button of document.querySelectorAll("#commands button")) button.textContent = "Copy";
  byId("chosen-file").textContent = `${data.file}.star`;
  byId("chosen-threshold").textContent = threshold;
}
