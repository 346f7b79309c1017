const fs = window.framescry;
const box = element.querySelector(".fs-report");
const text = element.querySelector(".fs-report-text");
const listen = element.querySelector("button");
const sound = element.querySelector("audio");
const file = element.querySelector("a");
const note = element.querySelector(".fs-report-note");
const CLOCK = /\b(?:\d+:)?\d{1,2}:\d{2}\b/g;
let wanted = false; // somebody waits to hear it

listen.addEventListener("click", () => {
  wanted = true;
  listen.disabled = true;
  listen.textContent = "Speaking…";
  trigger("listen");
});

const seconds = (clock) => clock.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
/* A line of the report; every time in it can be pressed. */
const line = (words) => {
  const made = fs.make("p");
  let from = 0;
  for (const found of words.matchAll(CLOCK)) {
    const go = fs.make("button", "", found[0]);
    go.type = "button";
    go.dataset.t = seconds(found[0]);
    go.setAttribute("aria-label", `Play from ${found[0]}`);
    made.append(words.slice(from, found.index), go);
    from = found.index + found[0].length;
  }
  made.append(words.slice(from));
  return made;
};
let written = null;
const show = () => {
  const {text: said = "", path = "", name = "", problem = ""} = props.value ?? {};
  box.hidden = !said;
  if (said !== written) {
    written = said;
    text.replaceChildren(...said.split("\n").filter((part) => part.trim()).map(line));
  }
  listen.disabled = false;
  listen.textContent = "Listen";
  listen.hidden = Boolean(path);
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
