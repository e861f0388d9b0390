// Building the page out of nodes: text never becomes markup, so nothing that a service says can run here.

const SVG = 'http://www.w3.org/2000/svg';

/** An HTML element: `h('a', { href: '#/', onclick: f }, 'text', child)`. Absent values leave the attribute out. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element. */
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

/** A line drawing of one path, as large as the text around it asks. */
export const glyph = (d) => s('svg', { class: 'glyph', viewBox: '0 0 20 20', 'aria-hidden': 'true' }, s('path', { d }));

/** What stands where there is nothing to show. */
export function empty(title, text, ...actions) {
  return h('div', { class: 'empty' },
    s('svg', { viewBox: '0 0 64 64', fill: 'none', stroke: 'currentColor', 'stroke-width': '2', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' },
      s('path', { d: 'M12 26h40l-3.5 26h-33zM22 26c0-8 4-14 10-14s10 6 10 14' }), s('path', { d: 'M26 38h12', opacity: '.6' })),
    h('h2', null, title), text && h('p', null, text), ...actions);
}

let quiet;
/** A word to the visitor that goes away by itself, read aloud by screen readers. */
export function toast(text) {
  const place = document.getElementById('toast');
  place.textContent = text;
  place.classList.add('shown');
  clearTimeout(quiet);
  quiet = setTimeout(() => place.classList.remove('shown'), 3500);
}
