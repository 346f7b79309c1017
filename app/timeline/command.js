const box = element.querySelector(".fs-command");
const button = element.querySelector("button");
const show = () => {
  element.querySelector("code").textContent = props.value ?? "";
  box.hidden = !props.value;
};
button.addEventListener("click", async () => {
  const code = element.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // no clipboard on a plain http address
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
});
watch("value", show);
show();
