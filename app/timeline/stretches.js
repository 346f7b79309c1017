/* What was found over time: each stretch with its picture, unfolded to what else it may be and to
   the frames that were looked at. */
const fs = window.framescry;
const box = element.querySelector(".fs-found");
const list = element.querySelector(".fs-stretches");
let result = null; // whose stretches these are
let open = null; // the key of the stretch that is unfolded
let looked = new Map(); // key of a stretch -> the frames that counted

const keyOf = (item) => item.from.toFixed(3);
const button = (className) => {
  const made = fs.make("button", className);
  made.type = "button";
  return made;
};

/* -- bars ----------------------------------------------------------------------------------- */

const createBar = () => {
  const made = fs.make("li");
  made.append(fs.make("span", "fs-bar-name"), fs.make("i"), fs.make("span", "fs-bar-share"));
  return made;
};
const fillBar = (made, chance) => {
  made.dataset.shade = chance.shade ?? "";
  made.children[0].textContent = chance.label;
  made.children[0].title = chance.label;
  made.children[1].style.setProperty("--share", chance.share);
  made.children[2].textContent = chance.note;
};
const bars = (place, chances) =>
  fs.reconcile(place, chances, (chance) => chance.label, createBar, fillBar);

/* -- a stretch ------------------------------------------------------------------------------- */

const create = () => {
  const made = fs.make("div", "fs-stretch");
  const play = button("fs-play");
  const image = fs.make("img");
  image.alt = "";
  image.draggable = false;
  const words = fs.make("span", "fs-stretch-words");
  words.append(fs.make("b"), fs.make("small", "fs-stretch-when"), fs.make("small", "fs-stretch-note"));
  play.append(image, words);
  const more = button("fs-unfold");
  const inside = fs.make("div", "fs-inside");
  inside.append(fs.make("h4", "", "Likeliest here"), fs.make("ol", "fs-bars"),
    fs.make("h4", "fs-looked-title"), fs.make("div", "fs-looked"));
  made.append(play, more, inside);
  play.addEventListener("click", () => unfold(made.item));
  more.addEventListener("click", () => (open === keyOf(made.item) ? fold() : unfold(made.item)));
  return made;
};
const fill = (made, item) => {
  made.item = item;
  made.dataset.shade = item.shade ?? "none";
  const play = made.firstElementChild;
  [play.dataset.t, play.dataset.from, play.dataset.to] = [item.from, item.from, item.to];
  play.setAttribute("aria-label", `Play ${item.label} from ${fs.clock(item.from)}, ${item.spoken}`);
  const image = made.querySelector("img");
  image.hidden = !item.picture;
  if (item.picture && image.src !== item.picture) image.src = item.picture;
  made.querySelector("b").textContent = item.label;
  made.querySelector(".fs-stretch-when").textContent = item.when;
  made.querySelector(".fs-stretch-note").textContent = item.note;
  const isOpen = open === keyOf(item);
  made.classList.toggle("is-open", isOpen);
  const more = made.querySelector(".fs-unfold");
  more.textContent = isOpen ? "▾" : "▸";
  more.setAttribute("aria-expanded", String(isOpen));
  more.setAttribute("aria-label", `What else ${item.when} may be, and the frames looked at`);
  const inside = made.querySelector(".fs-inside");
  inside.hidden = !isOpen;
  if (isOpen) fillInside(inside, item);
};
const fillInside = (inside, item) => {
  bars(inside.querySelector(".fs-bars"), item.top);
  const frames = looked.get(keyOf(item)) ?? [];
  const most = Math.max(...frames.map((frame) => frame.weight), 1e-6);
  inside.querySelector(".fs-looked-title").textContent =
    !frames.length ? "" : frames.every((frame) => !frame.note) ? "Looked at" : "Looked at most";
  fs.reconcile(inside.querySelector(".fs-looked"), frames, (frame) => frame.t.toFixed(3),
    () => {
      const made = button("fs-glance");
      made.append(fs.make("img"), fs.make("i"), fs.make("span"));
      made.firstElementChild.alt = "";
      return made;
    },
    (made, frame) => {
      made.dataset.t = frame.t;
      made.style.setProperty("--share", frame.weight / most);
      made.title = frame.note ? `${frame.note} of the attention` : "";
      made.setAttribute("aria-label", [`Play from ${fs.clock(frame.t)}`, made.title].filter(Boolean).join(", "));
      const image = made.firstElementChild;
      image.hidden = !frame.picture;
      if (frame.picture) image.src = frame.picture;
      made.lastElementChild.textContent = [fs.clock(frame.t, true), frame.note].filter(Boolean).join(" · ");
    });
};
const fold = () => {
  open = null;
  draw();
};
const unfold = (item) => {
  open = keyOf(item);
  draw();
  if (!looked.has(open)) trigger("look", {start_s: item.from, result});
};
fs.on("part", (part) => {
  const row = [...list.children].find((child) => child.item.from <= part.start_s + 1e-3
    && part.start_s < child.item.to);
  if (!row || row.item.label !== part.name) return; // of another ribbon
  unfold(row.item);
  if (row.offsetParent) row.scrollIntoView({block: "nearest"});
});

/* -- all of it -------------------------------------------------------------------------------- */

const draw = () => {
  const {items = []} = props.value ?? {};
  fs.reconcile(list, items, keyOf, create, fill);
};
const show = () => {
  const value = props.value ?? {};
  if (value.result !== result) [result, open, looked] = [value.result, null, new Map()];
  const {said = "", facts = "", title = "", whole = [], items = [], more = ""} = value;
  const words = element.querySelector(".fs-found-said");
  if (words.textContent !== said) words.textContent = said; // not read out again
  element.querySelector(".fs-found-facts").textContent = facts;
  element.querySelector(".fs-whole h3").textContent = title;
  bars(element.querySelector(".fs-whole .fs-bars"), whole);
  element.querySelector(".fs-whole").hidden = whole.length === 0;
  element.querySelector(".fs-found-more").textContent = more;
  box.hidden = !said;
  draw();
  fs.emit("stretches", items);
};
fs.on("looked", (answer) => {
  if (answer?.result !== result) return;
  looked.set(answer.from.toFixed(3), answer.frames);
  draw();
});
watch("value", show);
show();
