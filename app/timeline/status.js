const fs = window.framescry;
const box = element.querySelector(".fs-status");
const text = element.querySelector(".fs-status-text");
const spoken = element.querySelector("[role=status]");

fs.on("status", (status) => {
  const state = status?.state ?? "idle";
  const changed = box.dataset.state !== state;
  box.dataset.state = state;
  text.textContent = status?.text ?? "";
  if (changed) spoken.textContent = text.textContent; // not four times a second
  document.body.classList.toggle("is-working", state === "working");
});
fs.stopping = false; // until the server has heard of it
let stopped = false; // what the stopped work still had to say may come after the stop
fs.on("starting", () => (fs.stopping = stopped = false));
const show = () => {
  if (stopped && props.value?.state === "working") return;
  fs.stopping = false;
  fs.answered();
  fs.emit("status", props.value);
};
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("#cancel")) return;
  fs.stopping = stopped = true;
  fs.answered();
  fs.emit("status", {state: "working", text: "Stopping…"});
});
watch("value", show);
show();
