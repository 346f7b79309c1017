const fs = window.framescry;
const shelf = element.querySelector(".fs-shelf");
const items = element.querySelector(".fs-shelf-items");

const create = () => {
  const made = fs.make("button", "fs-book");
  made.type = "button";
  const image = fs.make("img");
  image.alt = "";
  const words = fs.make("span");
  words.append(fs.make("b"), fs.make("small"));
  made.append(image, words);
  made.addEventListener("click", () => {
    fs.surely(() => trigger("pick", {key: made.dataset.key}));
  });
  return made;
};
const fill = (made, item) => {
  const image = made.querySelector("img");
  image.hidden = !item.picture;
  if (item.picture) image.src = fs.fileUrl(item.picture);
  made.querySelector("b").textContent = item.label;
  made.querySelector("small").textContent = fs.clock(item.duration_s);
  made.title = item.label;
};
const show = () => {
  const listed = props.value?.items ?? [];
  element.querySelector(".fs-shelf-name").textContent = props.value?.label ?? "";
  fs.reconcile(items, listed, (item) => item.key, create, fill);
  shelf.hidden = listed.length === 0;
};
watch("value", show);
show();
