const fs = window.framescry;
const figure = element.querySelector(".fs-plot");
const show = () => {
  figure.hidden = !props.value;
  if (!props.value) return;
  ["light", "dark"].forEach((look) => {
    const image = element.querySelector(`.fs-for-${look}`);
    image.src = fs.fileUrl(props.value[look]);
    image.alt = props.value.alt;
  });
};
watch("value", show);
show();
