const fs = window.framescry;
const shown = new Set(); // fetched once, when they are made
const show = () => {
  const made = props.value?.items ?? [];
  fs.clips = new Map(made.map((clip) => [clip.span, clip]));
  fs.emit("clips");
  const fresh = made.filter((clip) => !shown.has(clip.path));
  fresh.forEach((clip) => {
    shown.add(clip.path);
    const link = fs.make("a");
    link.href = fs.fileUrl(clip.path);
    link.download = clip.name;
    link.click();
  });
};
watch("value", show);
show();
