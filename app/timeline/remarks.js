const fs = window.framescry;
const box = element.querySelector(".fs-remarks");
const show = () => {
  const said = props.value || [];
  box.replaceChildren(...said.map((text) => fs.make("p", "", text)));
  box.hidden = said.length === 0;
};
watch("value", show);
show();
