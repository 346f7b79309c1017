const fs = window.framescry;
const note = element.querySelector(".fs-note");
fs.on("status", (status) => {
  if (status?.state === "working") note.hidden = true; // something else is being tried
});
const show = () => {
  note.textContent = props.value?.text ?? "";
  note.hidden = !props.value?.text;
};
watch("value", show);
show();
