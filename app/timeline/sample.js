/* A picture of what to look for: given as a file beside this, or the frame that is shown. */
const fs = window.framescry;
const picture = element.querySelector("img");
const [take, remove] = element.querySelectorAll("button");
take.addEventListener("click", () => trigger("take", {t: fs.now()}));
remove.addEventListener("click", () => trigger("remove"));
const show = () => {
  const {image = "", text = ""} = props.value ?? {};
  picture.hidden = !image;
  if (image) picture.src = image;
  element.querySelector("p").textContent = text;
  remove.hidden = !text;
};
watch("value", show);
show();
