const fs = window.framescry;
const list = element.querySelector(".fs-facts");
const create = () => {
  const pair = fs.make("div");
  pair.append(fs.make("dt"), fs.make("dd"));
  return pair;
};
const show = () =>
  fs.reconcile(list, props.value || [], (fact) => fact[0], create, (pair, [name, value]) => {
    pair.firstElementChild.textContent = name;
    pair.lastElementChild.textContent = value;
  });
watch("value", show);
show();
