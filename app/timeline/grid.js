const fs = window.framescry;
const place = element.querySelector(".fs-grid");
const show = () => {
  const {columns = [], rows = []} = props.value || {};
  place.replaceChildren(...rows.map(([title, ...texts]) => {
    const card = fs.make("section");
    const list = fs.make("dl");
    texts.forEach((text, at) => list.append(fs.make("dt", "", columns[at + 1]), fs.make("dd", "", text)));
    card.append(fs.make("h3", "", title), list);
    return card;
  }));
};
watch("value", show);
show();
