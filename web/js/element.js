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
