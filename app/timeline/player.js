const fs = window.framescry;
const video = element.querySelector("video");
const box = element.querySelector(".fs-player");
let shown = null;

const show = () => {
  const value = props.value;
  if (value) {
    video.setAttribute("aria-label", value.name); // the same film may come under another name
    document.title = `${value.name} · Framescry`;
  }
  if ((value?.hash ?? null) === shown) return;
  shown = value?.hash ?? null;
  box.classList.toggle("has-video", Boolean(value));
  fs.pictures.clear();
  fs.offsetS = 0;
  if (!value) {
    video.removeAttribute("src");
    video.load();
    fs.address("video", null);
    return;
  }
  fs.fps = value.fps;
  fs.startS = value.start_s;
  fs.durationS = value.duration_s;
  const shape = value.width / value.height;
  document.documentElement.style.setProperty("--shape", shape);
  document.documentElement.style.setProperty("--card-shape", Math.min(2.4, Math.max(1, shape)));
  video.src = fs.fileUrl(value.path);
  fs.address("video", value.hash);
  fs.emit("video", value);
};

/* Whether a stream that starts late keeps its clock is up to the browser: it is measured. */
video.addEventListener("loadeddata", () => {
  if (Math.abs(fs.startS) < 0.02 || !video.requestVideoFrameCallback) return;
  video.requestVideoFrameCallback((_, frame) => {
    if (video.currentTime < 0.1) fs.offsetS = fs.startS - frame.mediaTime;
  });
});
video.addEventListener("error", () => {
  if (video.getAttribute("src")) {
    fs.emit("status", {state: "failed",
      text: "This browser cannot play the video, but it can still be searched for moments."});
  }
});

let ticking = false;
const tick = () => {
  fs.emit("time", fs.now());
  if (!video.paused && !video.ended) requestAnimationFrame(tick);
  else ticking = false;
};
const wake = () => {
  if (ticking) return;
  ticking = true;
  requestAnimationFrame(tick);
};
["play", "playing", "seeking", "seeked", "timeupdate", "loadedmetadata"].forEach((name) =>
  video.addEventListener(name, wake));

fs.restoreTheme();
watch("value", show);
show();
