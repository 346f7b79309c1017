const fs = window.framescry;
const show = () => {
  if (!props.value) return;
  fs.layers.set(props.value.name, props.value);
  fs.emit("layer", props.value.name);
};
watch("value", show);
show();
