const fs = window.framescry;
const row = element.querySelector(".fs-queries");

const button = (className) => {
  const made = fs.make("button", className);
  made.type = "button";
  return made;
};
const create = (item) => {
  const chip = fs.make("span", "fs-chip");
  const name = button("fs-chip-name");
  name.addEventListener("click", () => {
    if (chip.item.kept) fs.emit("again", chip.item.name);
    else trigger("keep", {});
  });
  chip.append(name);
  if (item.kept) {
    const remove = button("fs-chip-remove");
    remove.textContent = "×";
    remove.addEventListener("click", () => trigger("remove", {name: chip.item.name}));
    chip.append(remove);
  }
  return chip;
};
const fill = (chip, item) => {
  chip.item = item;
  chip.style.setProperty("--colour", item.colour);
  chip.classList.toggle("is-kept", item.kept);
  const name = chip.querySelector(".fs-chip-name");
  name.textContent = item.kept ? item.name : `Keep ${item.name}`;
  name.title = item.kept ? "Show its moments again" : "Its track stays while you ask for more";
  if (item.kept) name.setAttribute("aria-pressed", String(item.shown));
  chip.querySelector(".fs-chip-remove")?.setAttribute("aria-label", `Remove ${item.name}`);
};
const show = () => {
  const items = props.value?.items ?? [];
  fs.reconcile(row, items, (item) => `${item.kept}:${item.name}`, create, fill);
  row.hidden = items.length === 0;
};
watch("value", show);
show();
