const fs = window.framescry;
const box = element.querySelector(".fs-set");
const heading = element.querySelector("summary");
const classes = element.querySelector(".fs-classes");
const list = element.querySelector(".fs-events");
let only = ""; // the kind of thing that is looked at

/* -- a filter by what the boxes hold ---------------------------------------------------------------- */

const press = (name) => {
  only = name === only ? "" : name;
  show();
};
const createClass = (item) => {
  const made = fs.make("button", "fs-class");
  made.type = "button";
  made.addEventListener("click", () => press(item.label));
  return made;
};
const fillClass = (made, item) => {
  made.textContent = item.label ? `${item.label} ${item.events}` : "Everything";
  made.setAttribute("aria-pressed", String(item.label === only));
};
const showClasses = (items) => {
  const counted = new Map();
  items.forEach((item) => new Set(item.boxes.map((found) => found.label)).forEach((label) =>
    counted.set(label, (counted.get(label) ?? 0) + 1)));
  if (!counted.has(only)) only = "";
  const kinds = [...counted].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const shown = kinds.map(([label, events]) => ({label, events}));
  fs.reconcile(classes, shown.length ? [{label: ""}, ...shown] : [], (item) => `is ${item.label}`,
    createClass, fillClass);
  classes.hidden = shown.length === 0;
};

/* -- one event -------------------------------------------------------------------------------------- */

const create = () => {
  const card = fs.make("article", "fs-event");
  const play = fs.make("button", "fs-event-play");
  play.type = "button";
  const frame = fs.make("span", "fs-frame");
  const image = fs.make("img");
  image.alt = "";
  image.draggable = false;
  frame.append(image, fs.make("span", "fs-boxes"));
  play.append(frame);
  const body = fs.make("div", "fs-event-body");
  const head = fs.make("p", "fs-event-head");
  head.append(fs.make("b"), fs.make("small"), fs.make("i", "fs-badge"));
  body.append(head, fs.make("p", "fs-event-name"), fs.make("p", "fs-event-text"),
    fs.make("p", "fs-event-seen"));
  body.addEventListener("click", (event) => {
    if (String(getSelection())) event.stopPropagation(); // somebody copies the words
  });
  card.append(play, body);
  return card;
};
const createBox = () => {
  const made = fs.make("i");
  made.append(fs.make("em"));
  return made;
};
const fillBox = (made, found) => {
  ["left", "top", "width", "height"].forEach((side, at) =>
    (made.style[side] = `${100 * found.at[at]}%`));
  made.classList.toggle("is-high", found.at[1] < 0.12); // no room above for its name
  made.firstElementChild.textContent = `${found.label} ${found.note}`;
};
const say = (card, name, text) => {
  const place = card.querySelector(name);
  place.textContent = text ?? "";
  place.hidden = !text;
};
const isBrief = (item) => !item.text && !item.seen && !item.judged; // nothing to read beside it
const fill = (card, item) => {
  card.dataset.t = item.t;
  [card.dataset.from, card.dataset.to] = [item.from, item.to];
  card.style.setProperty("--colour", item.colour);
  card.classList.toggle("is-dismissed", item.verdict === "no");
  const image = card.querySelector("img");
  if (item.picture && image.getAttribute("src") !== item.picture) image.src = item.picture;
  const boxes = item.boxes.filter((found) => !only || found.label === only);
  fs.reconcile(card.querySelector(".fs-boxes"), boxes.map((found, at) => ({...found, key: at})),
    (found) => found.key, createBox, fillBox);
  card.querySelector("button").setAttribute("aria-label",
    `Play from ${fs.clock(item.from)}, ${item.label}`);
  card.querySelector("b").textContent = item.when;
  card.querySelector("small").textContent = item.note;
  card.querySelector(".fs-badge").dataset.verdict = item.verdict ?? "";
  say(card, ".fs-badge", item.judged);
  say(card, ".fs-event-name", item.name);
  say(card, ".fs-event-text", item.text);
  say(card, ".fs-event-seen", item.seen);
};
const told = element.querySelector(".fs-said");
let opened = null;
const show = () => {
  const {items = [], title = "", said = "", facts = "", open = true} = props.value ?? {};
  if (told.textContent !== said) told.textContent = said; // not read out again
  told.hidden = !said;
  element.querySelector(".fs-said-facts").textContent = facts;
  items.forEach((item) => fs.pictures.set(Math.round(1000 * item.t), item.picture));
  showClasses(items);
  const shown = items.filter((item) =>
    !only || item.boxes.some((found) => found.label === only));
  fs.reconcile(list, shown, (item) => item.key, create, fill);
  list.classList.toggle("is-brief", items.every(isBrief));
  box.hidden = items.length === 0 && !said;
  box.classList.toggle("fs-fold", Boolean(title));
  heading.hidden = !title;
  heading.textContent = title;
  if (opened !== open) box.open = opened = open; // else it stays as the person left it
};
watch("value", show);
show();
