/* Where the model looked: the pictures of one segment, coloured by how much each part counted. */
const fs = window.framescry;
const box = element.querySelector(".fs-attention");
const create = () => {
  const made = fs.make("button", "fs-seen");
  made.type = "button";
  made.append(fs.make("img"), fs.make("span"));
  return made;
};
const fill = (made, frame) => {
  made.dataset.t = frame.t;
  const image = made.firstElementChild;
  image.src = frame.picture;
  image.alt = "";
  made.lastElementChild.textContent = fs.clock(frame.t, true);
  made.setAttribute("aria-label", `Play from ${fs.clock(frame.t, true)}, ${frame.label}`);
};
const show = () => {
  const {title = "", note = "", frames = []} = props.value ?? {};
  const isNew = frames.length > 0 && box.dataset.title !== title;
  box.hidden = frames.length === 0;
  box.dataset.title = title;
  element.querySelector("h3").textContent = title;
  element.querySelector("small").textContent = note;
  fs.reconcile(element.querySelector(".fs-attention-strip"), frames,
    (frame) => frame.t.toFixed(3), create, fill);
  if (isNew) box.scrollIntoView({block: "nearest", behavior: "smooth"});
};
watch("value", show);
show();
