const fs = window.framescry;
const show = () => {
  if (props.value) fs.emit("looked", props.value);
};
watch("value", show);
show();
