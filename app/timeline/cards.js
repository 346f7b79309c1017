const fs = window.framescry;
const list = element.querySelector(".fs-cards");

const create = () => {
  const card = fs.make("button", "fs-card");
  card.type = "button";
  const image = fs.make("img");
  image.alt = "";
  image.draggable = false;
  const caption = fs.make("span", "fs-caption");
  caption.append(fs.make("b"), fs.make("small"));
  card.append(image, caption);
  return card;
};
const fill = (card, item) => {
  card.dataset.t = item.t;
  card.setAttribute("aria-label", `Play from ${fs.clock(item.t)}, ${item.label}`);
  const image = card.querySelector("img");
  if (item.picture && image.src !== item.picture) image.src = item.picture;
  card.querySelector("b").textContent = fs.clock(item.t);
  card.querySelector("small").textContent = item.note;
  card.style.setProperty("--colour", item.colour);
};
const show = () => {
  const items = props.value?.items ?? [];
  items.forEach((item) => fs.pictures.set(Math.round(1000 * item.t), item.picture));
  fs.reconcile(list, items, (item) => item.t.toFixed(3), create, fill);
  list.hidden = items.length === 0;
};
watch("value", show);
show();
