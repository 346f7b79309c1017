const fs = window.framescry;
const box = element.querySelector(".fs-set");
const heading = element.querySelector("summary");
const list = element.querySelector(".fs-cards");

const button = (className) => {
  const made = fs.make("button", className);
  made.type = "button";
  return made;
};
const likeIt = (item) => {
  const made = button("fs-like");
  made.textContent = "More like this";
  made.setAttribute("aria-label", `More like ${fs.clock(item.t)}`);
  made.addEventListener("click", () => fs.emit("like", item.t));
  return made;
};
const saveIt = (item) => {
  const file = fs.clips.get(item.span);
  const made = file ? fs.make("a", "fs-save") : button("fs-save");
  made.textContent = file ? "Clip saved" : "Save clip";
  made.title = file ? file.name : "This moment as a video with its sound";
  made.setAttribute("aria-label", `${file ? "Fetch" : "Save"} the clip of ${item.when}`);
  if (file) {
    made.href = fs.fileUrl(file.path);
    made.download = file.name;
  } else {
    made.addEventListener("click", () => trigger("save", {t: item.t}));
  }
  return made;
};
const lookInto = (item) => {
  const made = button("fs-look");
  made.textContent = "What it looked at";
  made.setAttribute("aria-label", `What it looked at around ${fs.clock(item.t)}`);
  made.addEventListener("click", () => trigger("look", {t: item.t}));
  return made;
};
const MAKERS = {like: likeIt, save: saveIt, look: lookInto};

const create = () => {
  const card = fs.pictureCard();
  card.append(fs.make("div", "fs-actions"));
  return card;
};
const fill = (card, item) => {
  const play = card.firstElementChild;
  play.dataset.t = item.t;
  if (item.to !== undefined) [play.dataset.from, play.dataset.to] = [item.from, item.to];
  play.setAttribute("aria-label", `Play from ${fs.clock(item.t)}, ${item.label}`);
  const image = card.querySelector("img");
  if (item.picture && image.src !== item.picture) image.src = item.picture;
  card.querySelector("b").textContent = item.when ?? fs.clock(item.t);
  card.querySelector("small").textContent = item.note;
  card.style.setProperty("--colour", item.colour);
  act(card.lastElementChild, item);
};
const act = (place, item) => {
  const wanted = props.value.actions ?? [];
  const made = `${wanted} ${item.t} ${fs.clips.get(item.span)?.path ?? ""}`;
  if (place.dataset.made === made) return; // what has the focus stays
  const held = place.contains(document.activeElement);
  place.dataset.made = made;
  place.replaceChildren(...wanted.map((name) => MAKERS[name](item)));
  if (held) place.firstElementChild?.focus();
};
let opened = null;
const show = () => {
  const {items = [], title = "", open = true} = props.value ?? {};
  items.forEach((item) => fs.pictures.set(Math.round(1000 * item.t), item.picture));
  fs.reconcile(list, items, (item) => item.t.toFixed(3), create, fill);
  box.hidden = items.length === 0;
  box.classList.toggle("fs-fold", Boolean(title));
  heading.hidden = !title;
  heading.textContent = title;
  if (opened !== open) box.open = opened = open; // else it stays as the person left it
};
fs.on("clips", show);
watch("value", show);
show();
