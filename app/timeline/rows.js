const fs = window.framescry;
const box = element.querySelector(".fs-rows");
const heading = element.querySelector("thead tr");
const body = element.querySelector("tbody");

const create = (row) => {
  const made = fs.make("tr");
  row.cells.forEach((_, at) => made.append(fs.make("td", at ? "" : "fs-first")));
  const button = fs.make("button");
  button.type = "button";
  made.firstElementChild.append(button);
  return made;
};
const fill = (made, row) => {
  made.dataset.t = row.t;
  made.classList.toggle("is-chosen", Boolean(row.chosen));
  row.cells.forEach((cell, at) => {
    const holder = at ? made.children[at] : made.children[0].firstElementChild;
    holder.textContent = cell;
  });
  made.children[0].firstElementChild.setAttribute("aria-label", `Play from ${fs.clock(row.t)}`);
};
const show = () => {
  const {title = "", columns = [], rows = []} = props.value || {};
  element.querySelector("summary").textContent = title;
  heading.replaceChildren(...columns.map((name) => {
    const cell = fs.make("th", "", name);
    cell.scope = "col";
    return cell;
  }));
  fs.reconcile(body, rows, (row) => `${row.t.toFixed(3)} ${row.cells.length}`, create, fill);
  box.hidden = rows.length === 0;
};
watch("value", show);
show();
