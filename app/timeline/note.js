const note = element.querySelector(".fs-note");
const show = () => {
  note.textContent = props.value?.text ?? "";
  note.dataset.kind = props.value?.kind ?? "";
  note.hidden = !props.value?.text;
};
watch("value", show);
show();
