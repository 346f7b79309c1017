/* What was measured of the model, class by class; a cell shows where in this video it may matter. */
const fs = window.framescry;
const box = element.querySelector(".fs-quality");
const table = element.querySelector(".fs-matrix");
const cell = element.querySelector(".fs-cell");
const cards = cell.querySelector(".fs-cards");
let drawn = null; // the model whose matrix is in the table
let stretches = []; // what was found in the video that is open
let pressed = null;

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const createBar = () => {
  const made = fs.make("li");
  made.append(fs.make("span", "fs-bar-name"), fs.make("i"), fs.make("span", "fs-bar-share"));
  return made;
};
const fillBar = (made, row) => {
  made.children[0].textContent = row.label;
  made.children[0].title = `${row.label}: ${row.count} tested`;
  made.children[1].style.setProperty("--share", row.accuracy);
  made.children[2].textContent = `${percent(row.accuracy)} of ${row.count}`;
};

/* -- the matrix -------------------------------------------------------------------------------- */

const heading = (text, scope) => {
  const made = fs.make("th");
  made.scope = scope;
  made.append(fs.make("span", "", text));
  made.title = text;
  return made;
};
const square = (labels, counts, row, column) => {
  const made = fs.make("td", row === column ? "is-right" : "");
  const count = counts[row][column];
  if (!count) return made;
  const of = counts[row].reduce((sum, n) => sum + n, 0);
  const button = fs.make("button");
  button.type = "button";
  button.style.setProperty("--share", Math.sqrt(count / of)); // a few of many are still seen
  button.title = `${labels[row]} taken for ${labels[column]}: ${count} of ${of}`;
  button.setAttribute("aria-label", button.title);
  button.addEventListener("click", () => {
    pressed = {shown: labels[row], said: labels[column], count, of, button};
    drawCell();
  });
  made.append(button);
  return made;
};
const drawMatrix = ({labels = [], confusion = []}) => {
  const top = fs.make("tr");
  top.append(fs.make("td"), ...labels.map((label) => heading(label, "col")));
  const head = fs.make("thead");
  head.append(top);
  const body = fs.make("tbody");
  labels.forEach((label, row) => {
    const line = fs.make("tr");
    line.append(heading(label, "row"), ...labels.map((_, at) => square(labels, confusion, row, at)));
    body.append(line);
  });
  table.replaceChildren(head, body);
  fit();
};
/* All columns side by side where that leaves them large enough to press. */
const fit = () => {
  const columns = props.value?.labels?.length ?? 0;
  const names = table.querySelector("tbody th")?.offsetWidth ?? 0;
  const room = (table.parentElement.clientWidth - names) / Math.max(columns, 1);
  table.style.setProperty("--cell", `${Math.min(22, Math.max(12, Math.floor(10 * room) / 10))}px`);
};
box.addEventListener("toggle", fit);

/* -- a cell: in numbers, and in this video ------------------------------------------------------- */

const whatItMeans = ({shown, said, count, of}) =>
  shown === said
    ? `Of ${of} tests with “${shown}”, ${count} were recognized.`
    : `Of ${of} tests with “${shown}”, ${count} ${count === 1 ? "was" : "were"} taken for “${said}”.`;
const drawCell = () => {
  table.querySelectorAll(".is-pressed").forEach((old) => old.classList.remove("is-pressed"));
  cell.hidden = !pressed;
  if (!pressed) return;
  pressed.button.classList.add("is-pressed");
  const here = stretches.filter((item) => item.label === pressed.said);
  const doubtful = (item) => item.top.find((chance) => chance.label === pressed.shown)?.share ?? 0;
  here.sort((one, other) => doubtful(other) - doubtful(one));
  const then = here.length
    ? pressed.shown === pressed.said
      ? "In this video it was said here:"
      : `Where it says “${pressed.said}” in this video, look whether it is “${pressed.shown}”:`
    : `In this video it says “${pressed.said}” nowhere.`;
  cell.firstElementChild.textContent = `${whatItMeans(pressed)} ${then}`;
  fs.reconcile(cards, here.slice(0, 8), (item) => item.from.toFixed(3), fs.pictureCard,
    (card, item) => {
      const play = card.firstElementChild;
      play.dataset.t = item.from;
      play.setAttribute("aria-label", `Play ${item.label} from ${fs.clock(item.from)}`);
      const image = card.querySelector("img");
      image.hidden = !item.picture;
      if (item.picture) image.src = item.picture;
      card.querySelector("b").textContent = item.when;
      const doubt = doubtful(item);
      card.querySelector("small").textContent =
        pressed.shown === pressed.said ? item.note : `${pressed.shown} ${percent(doubt)}`;
    });
};
fs.on("stretches", (items) => {
  stretches = [...items];
  drawCell();
});

const show = () => {
  const value = props.value ?? {};
  box.hidden = !value.classes?.length;
  if (box.hidden || value.model === drawn) return;
  drawn = value.model;
  pressed = null;
  element.querySelector(".fs-quality-said").textContent = value.said;
  element.querySelector(".fs-quality-protocol").textContent = value.protocol;
  fs.reconcile(element.querySelector(".fs-bars"), value.classes, (row) => row.label, createBar, fillBar);
  drawMatrix(value);
  drawCell();
};
watch("value", show);
show();
