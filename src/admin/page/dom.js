// Writes to the document only where something changed: a rewritten text loses the reader's selection.

export const find = (selector, within = document) => within.querySelector(selector);

export function set(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

// The text if there is one, else nothing.
export function line(node, text) {
  set(node, text ?? "");
  show(node, text !== null && text !== "");
}

export function style(node, classes) {
  if (node.className !== classes) node.className = classes;
}

export function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// Writes the texts whose keys the nodes below `within` name.
export function translate(within, text) {
  for (const node of within.querySelectorAll("[data-text]")) set(node, text(node.dataset.text));
  for (const node of within.querySelectorAll("[data-title]")) attribute(node, "title", text(node.dataset.title));
  for (const node of within.querySelectorAll("[data-label]")) attribute(node, "aria-label", text(node.dataset.label));
  for (const node of within.querySelectorAll("[data-placeholder]")) attribute(node, "placeholder", text(node.dataset.placeholder));
}

export function element(tag, classes = "", text = "") {
  const node = document.createElement(tag);
  if (classes !== "") node.className = classes;
  if (text !== "") node.textContent = text;
  return node;
}

export function fromTemplate(id) {
  return find(`#${id}`).content.cloneNode(true).firstElementChild;
}

const kept = new WeakMap();

// One child of `parent` for each item, in their order. A child stays the same node while its key is
// there.
export function keyed(parent, items, keyOf, create, update) {
  const before = kept.get(parent) ?? new Map();
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  for (const [key, node] of before) if (!wanted.has(key)) node.remove();
  const after = new Map();
  let last = null;
  for (const [key, item] of wanted) {
    const node = before.get(key) ?? create(item);
    update(node, item);
    let place = last === null ? parent.firstElementChild : last.nextElementSibling;
    // A node that is moved loses the selection in it, so only those that must move do.
    if (place !== null && place !== node && place.nextElementSibling === node) {
      parent.append(place);
      place = node;
    }
    if (place !== node) parent.insertBefore(node, place);
    after.set(key, node);
    last = node;
  }
  kept.set(parent, after);
}

export function cells(...classes) {
  const row = element("tr");
  row.append(...classes.map((name) => element("td", name)));
  return row;
}

// The options of a select, as [value, text]. The choice stays if it still exists.
export function options(select, wanted) {
  const chosen = select.value;
  keyed(select, wanted, ([value]) => value, () => element("option"), (node, [value, text]) => {
    if (node.value !== value || !node.hasAttribute("value")) node.value = value;
    set(node, text);
  });
  if (select.value !== chosen && wanted.some(([value]) => value === chosen)) select.value = chosen;
}
