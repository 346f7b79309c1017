const fs = window.framescry;
const list = element.querySelector(".fs-models");
const show = () =>
  list.replaceChildren(...(props.value || []).map((model) => {
    const card = fs.make("section", "fs-model");
    const known = fs.make("dl");
    model.known.forEach(([name, text]) => known.append(fs.make("dt", "", name), fs.make("dd", "", text)));
    card.append(fs.make("h3", "", model.name), fs.make("p", "", model.purpose), known);
    return card;
  }));
watch("value", show);
show();
