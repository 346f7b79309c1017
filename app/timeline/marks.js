/* Events to look through: accepted, rejected, moved to where the player stands, named, added. */
const fs = window.framescry;
const list = element.querySelector(".fs-marks-list");
const said = element.querySelector(".fs-marks-said");
const labels = element.querySelector("datalist");
const fresh = element.querySelector(".fs-marks-add input");
const [add, undo] = element.querySelectorAll(".fs-marks-add button");
let items = [];
let chosen = null; // the number of the event that keys act on
let video = null;

const numberOf = (node) => Number(node.closest(".fs-mark").dataset.key);
const itemOf = (number) => items.find((item) => item.number === number);
const round = (t) => Math.round(1000 * t) / 1000;

/* -- what is asked of the server --------------------------------------------------------------- */

const judge = (number, review) => trigger("judged", {number, review});
const move = (item, start_s, end_s) =>
  trigger("moved", {number: item.number, start_s: round(start_s), end_s: round(end_s)});
const addHere = () => trigger("added", {t: round(fs.now()), label: fresh.value || itemOf(chosen)?.label || ""});
const takeBack = () => trigger("undone", {});

/* -- one event ---------------------------------------------------------------------------------- */

const button = (text, label, press) => {
  const made = fs.make("button", "", text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", press);
  return made;
};
const field = (name, label, change) => {
  const made = fs.make("input", `fs-mark-${name}`);
  made.setAttribute("aria-label", label);
  made.addEventListener("change", () => change(made));
  return made;
};
const moment = (name, label, key, change) => {
  const box = fs.make("span", "fs-mark-moment");
  const made = field(name, label, (input) => change(itemOf(numberOf(input)), parseFloat(input.value)));
  made.type = "number";
  made.step = "0.1";
  made.min = "0";
  box.append(made, button(key, `${label}: where the player stands`,
    (event) => change(itemOf(numberOf(event.target)), fs.now())));
  return box;
};
const create = () => {
  const card = fs.make("article", "fs-mark");
  const play = fs.make("button", "fs-mark-play", "▶");
  play.type = "button";
  const name = field("label", "Label",
    (input) => trigger("named", {number: numberOf(input), label: input.value}));
  name.setAttribute("list", labels.id);
  const judged = fs.make("span", "fs-mark-judged");
  judged.append(
    button("Accept", "", (event) => judge(numberOf(event.target), "accepted")),
    button("Reject", "", (event) => judge(numberOf(event.target), "rejected")));
  const times = fs.make("span", "fs-mark-times");
  times.append(
    moment("start", "Start", "[", (item, t) => Number.isFinite(t) && move(item, t, item.end_s)),
    fs.make("i", "", "–"),
    moment("end", "End", "]", (item, t) => Number.isFinite(t) && move(item, item.start_s, t)));
  card.append(play, name, times, judged, fs.make("small"));
  card.addEventListener("pointerdown", () => choose(numberOf(card), false));
  card.addEventListener("focusin", () => choose(numberOf(card), false));
  return card;
};
const put = (input, value) => {
  if (document.activeElement !== input || input.known !== value) input.value = value;
  input.known = value;
};
const fill = (card, item) => {
  card.dataset.review = item.review;
  card.classList.toggle("is-chosen", item.number === chosen);
  const play = card.querySelector(".fs-mark-play");
  play.dataset.t = item.start_s;
  play.setAttribute("aria-label", `Play ${item.label} from ${fs.clock(item.start_s)}`);
  put(card.querySelector(".fs-mark-label"), item.label);
  put(card.querySelector(".fs-mark-start"), item.start_s.toFixed(2));
  put(card.querySelector(".fs-mark-end"), item.end_s.toFixed(2));
  const [accept, reject] = card.querySelectorAll(".fs-mark-judged button");
  accept.setAttribute("aria-pressed", String(item.review === "accepted"));
  reject.setAttribute("aria-pressed", String(item.review === "rejected"));
  card.querySelector("small").textContent = item.note;
};
const draw = () => fs.reconcile(list, items, (item) => item.number, create, fill);
const choose = (number, seek = true) => {
  if (number === chosen && !seek) return;
  chosen = number;
  draw();
  const item = itemOf(number);
  if (!item) return;
  if (seek) {
    fs.seek(item.start_s, false);
    [...list.children].find((card) => Number(card.dataset.key) === number)?.scrollIntoView({block: "nearest"});
  }
};
const step = (by) => {
  if (!items.length) return;
  const at = items.findIndex((item) => item.number === chosen);
  const next = at < 0 ? 0 : Math.min(items.length - 1, Math.max(0, at + by));
  choose(items[next].number);
};

/* -- keys ---------------------------------------------------------------------------------------- */

const withChosen = (act) => () => {
  const item = itemOf(chosen);
  if (item) act(item);
};
const keys = {
  n: () => step(1),
  p: () => step(-1),
  a: withChosen((item) => judge(item.number, "accepted")),
  x: withChosen((item) => judge(item.number, "rejected")),
  "[": withChosen((item) => move(item, fs.now(), item.end_s)),
  "]": withChosen((item) => move(item, item.start_s, fs.now())),
  m: addHere,
  u: takeBack,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
  const act = keys[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});
add.addEventListener("click", addHere);
undo.addEventListener("click", takeBack);

const show = () => {
  const value = props.value ?? {};
  items = value.items ?? [];
  if (value.video !== video) [video, chosen] = [value.video, null];
  if (value.chosen != null) chosen = value.chosen;
  if (!itemOf(chosen)) chosen = (items.find((item) => item.review === "proposed") ?? items[0])?.number ?? null;
  said.textContent = value.said ?? "";
  labels.replaceChildren(...(value.labels ?? []).map((name) => {
    const option = fs.make("option");
    option.value = name;
    return option;
  }));
  undo.disabled = !value.undo;
  draw();
};
watch("value", show);
show();
