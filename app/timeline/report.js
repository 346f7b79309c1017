const fs = window.framescry;
const box = element.querySelector(".fs-report");
const text = element.querySelector(".fs-report-text");
const listen = element.querySelector("button");
const sound = element.querySelector("audio");
const file = element.querySelector("a");
const note = element.querySelector(".fs-report-note");
let wanted = false; // somebody waits to hear it

listen.addEventListener("click", () => {
  wanted = true;
  listen.disabled = true;
  listen.textContent = "Speaking…";
  trigger("listen");
});

let written = null;
const show = () => {
  const {text: said = "", path = "", name = "", problem = ""} = props.value ?? {};
  box.hidden = !said;
  if (said !== written) {
    written = said;
    const parts = said.split("\n").filter((part) => part.trim());
    text.replaceChildren(...parts.map((part) => fs.make("p", "", part)));
  }
  listen.disabled = false;
  listen.textContent = path ? "Speak again" : "Listen"; // with another voice, say
  sound.hidden = file.hidden = !path;
  note.textContent = problem;
  note.hidden = !problem;
  const address = path ? fs.fileUrl(path) : "";
  if (!path) sound.removeAttribute("src");
  else if (sound.getAttribute("src") !== address) {
    sound.src = address;
    file.href = address;
    file.download = name;
    if (wanted) {
      fs.video()?.pause();
      sound.play().catch(() => {});
    }
  }
  if (path || problem) wanted = false;
};
watch("value", show);
show();
