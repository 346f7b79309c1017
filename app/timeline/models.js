const fs = window.framescry;
const place = element.querySelector(".fs-models");
const COLUMNS = ["Model", "Quality", "Frames a second", "Size", "Licence"];

const folded = (model) => {
  const box = fs.make("details", "fs-model");
  const name = fs.make("summary", "", model.name);
  const known = fs.make("dl");
  model.known.forEach(([title, text]) => known.append(fs.make("dt", "", title), fs.make("dd", "", text)));
  box.append(name, known);
  return box;
};
const cell = (title, text, isTheirs) => {
  const made = fs.make("td");
  made.dataset.title = title;
  if (!text) return made;
  const said = fs.make("span"); // one thing, for it stands beside its title on a phone
  if (isTheirs) said.append(fs.make("span", "fs-theirs", "○ "));
  said.append(text);
  made.append(said);
  return made;
};
const row = (model) => {
  const made = fs.make("tr", model.problem ? "is-unusable" : "");
  const name = fs.make("td", "fs-model-name");
  const details = folded(model); // opened, it takes the place of the others
  details.addEventListener("toggle", () => (name.colSpan = details.open ? COLUMNS.length : 1));
  name.append(details, fs.make("small", "", model.problem ? "cannot be used" : model.where));
  made.append(
    name,
    cell(COLUMNS[1], model.quality, !model.ours),
    cell(COLUMNS[2], model.speed, model.random),
    cell(COLUMNS[3], model.size),
    cell(COLUMNS[4], model.licence),
  );
  return made;
};
const group = ({task, rows}) => {
  const body = fs.make("tbody");
  const title = fs.make("tr", "fs-task");
  const name = fs.make("th", "", task);
  name.colSpan = COLUMNS.length;
  name.scope = "rowgroup";
  title.append(name);
  body.append(title, ...rows.map(row));
  return body;
};
const show = () => {
  const table = fs.make("table");
  const head = fs.make("thead");
  const titles = fs.make("tr");
  COLUMNS.forEach((title) => (titles.append(fs.make("th", "", title)), (titles.lastChild.scope = "col")));
  head.append(titles);
  table.append(head, ...(props.value?.groups || []).map(group));
  place.replaceChildren(table, fs.make("p", "fs-help", props.value?.note ?? ""));
};
watch("value", show);
show();
