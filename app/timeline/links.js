const fs = window.framescry;
const box = element.querySelector(".fs-links");
const asked = new Set(); // kinds whose file is fetched as soon as it is ready

const create = (item) => {
  const made = fs.make(item.path ? "a" : "button", "fs-link");
  if (!item.path) {
    made.type = "button";
    made.addEventListener("click", () => {
      asked.add(item.kind);
      trigger("build", {kind: item.kind});
    });
  }
  return made;
};
const fill = (made, item) => {
  made.textContent = item.label;
  made.title = item.help;
  made.dataset.kind = item.kind;
  if (!item.path) return;
  made.href = fs.fileUrl(item.path);
  if (item.watch) {
    made.target = "_blank";
    made.rel = "noopener";
  } else {
    made.download = item.name;
  }
};
const show = () => {
  const items = props.value?.items ?? [];
  fs.reconcile(box, items, (item) => `${item.kind}:${item.path ?? ""}`, create, fill);
  box.hidden = items.length === 0;
  items.filter((item) => item.path && asked.delete(item.kind))
    .forEach((item) => box.querySelector(`[data-kind="${item.kind}"]`).click());
};
watch("value", show);
show();
