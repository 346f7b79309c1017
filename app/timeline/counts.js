const fs = window.framescry;
const box = element.querySelector(".fs-counts");
const list = box.lastElementChild;

const createRow = () => {
  const row = fs.make("div", "fs-count");
  row.append(fs.make("span", "fs-count-name"), fs.make("span", "fs-count-bars"));
  return row;
};
const createBar = () => {
  const bar = fs.make("button");
  bar.type = "button";
  return bar;
};
const fillRow = (most) => (row, item) => {
  row.firstElementChild.textContent = item.label;
  row.firstElementChild.title = item.label;
  fs.reconcile(row.lastElementChild, item.seen, (seen) => seen.t.toFixed(3), createBar,
    (bar, seen) => {
      bar.dataset.t = seen.t;
      bar.style.left = `${fs.durationS ? 100 * (seen.t - fs.startS) / fs.durationS : 0}%`;
      bar.style.setProperty("--part", seen.count / most);
      bar.title = `${seen.count} at ${fs.clock(seen.t)}`;
      bar.setAttribute("aria-label",
        `Play from ${fs.clock(seen.t)}, ${seen.count} × ${item.label}`);
    });
};
const show = () => {
  const items = props.value?.items ?? [];
  const most = Math.max(1, ...items.flatMap((item) => item.seen.map((seen) => seen.count)));
  fs.reconcile(list, items, (item) => item.label, createRow, fillRow(most));
  box.hidden = items.length === 0;
};
watch("value", show);
show();
