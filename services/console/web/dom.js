// Builds DOM nodes. Text never becomes markup, so no text from a service can run as a script.

const SVG = 'http://www.w3.org/2000/svg';

/** Creates an HTML element: `h('a', { href: '#/', onclick: f }, 'text', child)`. Attributes without a value are left out. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** Creates an SVG element. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** An icon of one path, sized by the surrounding text. */
export const icon = (d) => s('svg', { class: 'icon', viewBox: '0 0 20 20', 'aria-hidden': 'true' }, s('path', { d }));

/** Shown instead of an empty list. */
export const emptyState = (title, text, ...actions) => placeholder('h2', title, text, actions);

/** Shown instead of a page. */
export const emptyPage = (title, text, ...actions) => placeholder('h1', title, text, actions);

function placeholder(heading, title, text, actions) {
  return h('div', { class: 'empty' },
    s('svg', { viewBox: '0 0 64 64', fill: 'none', stroke: 'currentColor', 'stroke-width': '2', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' },
      s('path', { d: 'M12 26h40l-3.5 26h-33zM22 26c0-8 4-14 10-14s10 6 10 14' }), s('path', { d: 'M26 38h12', opacity: '.6' })),
    h(heading, null, title), text && h('p', null, text), ...actions);
}

let hideTimer;
/** Shows a short message that disappears after a few seconds; screen readers announce it. */
export function toast(text) {
  const toastElement = document.getElementById('toast');
  toastElement.textContent = text;
  toastElement.classList.add('shown');
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => toastElement.classList.remove('shown'), 3500);
}
