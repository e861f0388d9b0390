// Products that the shopper keeps in this browser: favourites, and the ones to compare.

import { h, icon, toast } from '/assets/dom.js';
import { t } from '/assets/i18n.js';
import { localStore } from '/assets/storage.js';

const changed = new EventTarget();

/** A list of product ids, newest first, with at most `most` entries. */
function savedList(key, most) {
  const ids = () => localStore.get(key) ?? [];
  const save = (next) => {
    localStore.set(key, next);
    changed.dispatchEvent(new Event('change'));
  };
  return {
    ids,
    has: (id) => ids().includes(id),
    /** Adds the product, or removes it. Returns whether it is in the list now, or `undefined` if the list is full. */
    toggle(id) {
      const others = ids().filter((other) => other !== id);
      if (others.length < ids().length) {
        save(others);
        return false;
      }
      if (others.length >= most) return undefined;
      save([id, ...others]);
      return true;
    },
  };
}

/** The favourite products. */
export const favourites = savedList('favourites', 200);

/** The products to compare: as many as fit beside one another. */
export const compared = savedList('compared', 4);

/** Calls `f` after every change, including changes in other tabs. */
export function onSavedChange(f) {
  changed.addEventListener('change', f);
  addEventListener('storage', (event) => {
    if (['shixuan.favourites', 'shixuan.compared'].includes(event.key)) f();
  });
}

/** A button that adds the product to the list, or removes it. */
function toggleButton(list, id, { path, name, full }) {
  const draw = () => {
    button.setAttribute('aria-pressed', String(list.has(id)));
    button.querySelector('span').textContent = t(list.has(id) ? `${name}.remove` : `${name}.add`);
  };
  const button = h('button', {
    class: 'button saver', type: 'button',
    onclick: () => {
      const is = list.toggle(id);
      toast(t(is === undefined ? full : is ? `${name}.added` : `${name}.removed`));
      draw();
    },
  }, icon(path), h('span', null));
  draw();
  return button;
}

/** The button for favourites. */
export const favouriteButton = (id) => toggleButton(favourites, id, {
  path: 'M10 16.5S3.5 12.6 3.5 8.2A3.5 3.5 0 0 1 10 6.4a3.5 3.5 0 0 1 6.5 1.8c0 4.4-6.5 8.3-6.5 8.3z',
  name: 'favourite', full: 'favourite.full',
});

/** The button for the comparison. */
export const compareButton = (id) => toggleButton(compared, id, {
  path: 'M10 3v14M4 6h12M4 6l-2.2 5.5h4.4zM16 6l-2.2 5.5h4.4z', name: 'compare', full: 'compare.full',
});
