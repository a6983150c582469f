// Elements, and a place in what others do. Does nothing when loaded alone.

export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** The style sheet of a widget, to stand in its own element: the document's head is not ours. */
export function sheet(name, beside) {
  return make("link", { rel: "stylesheet", href: new URL(name, beside).href });
}

/** Calls `then` after what the object does already. */
export function after(object, name, then) {
  const before = object[name];
  object[name] = function (...given) {
    const result = before?.apply(this, given);
    then(...given);
    return result;
  };
}

const left = new Map(); // elements of nodes that are gone, by the widget's name and the node's id

/**
 * Keeps a widget's element in the page. A step back makes nodes anew, and later pages go on showing the element
 * of the one that is gone: the new one takes its place there.
 */
export function stays(node, name, element) {
  const key = () => `${name} ${node.id}`;
  // At once: a page that shows the new one itself does so later, and takes it from there.
  after(node, "onConfigure", () => {
    const old = left.get(key());
    left.delete(key());
    if (old?.isConnected && !element.isConnected) old.replaceWith(element);
  });
  after(node, "onRemoved", () => left.set(key(), element));
}
