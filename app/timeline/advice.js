const fs = window.framescry;
const list = element.querySelector(".fs-advice");
const show = () =>
  list.replaceChildren(...(props.value || []).flatMap(([title, name, text]) => {
    const said = fs.make("dd");
    if (name) said.append(fs.make("code", "", name), " ");
    said.append(text);
    return [fs.make("dt", "", title), said];
  }));
watch("value", show);
show();
