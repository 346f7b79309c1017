const fs = window.framescry;
const box = element.querySelector(".fs-answer");
const picture = element.querySelector("img");
const show = () => {
  const {text = "", facts = "", image = "", colour = ""} = props.value ?? {};
  const said = element.querySelector("p");
  if (said.textContent !== text) said.textContent = text; // not read out again
  element.querySelector("small").textContent = facts;
  picture.hidden = !image;
  if (image) picture.src = image;
  box.style.setProperty("--colour", colour);
  box.hidden = !text;
  fs.emit("answer", props.value ?? {});
};
watch("value", show);
show();
