// Tables of the merchant's pages: a frame that scrolls, rows that open, and a button for the next page.

import { h, toast } from '/assets/dom.js';
import { t } from '/assets/i18n.js';
import { explanation } from '/assets/merchant/staff.js';

/** A frame in which a wide table scrolls, also by keyboard. */
export const frame = (label, table, kind = 'frame') => h('div', { class: kind, tabindex: '0', role: 'region', 'aria-label': label }, table);

/**
 * A row of `columns` cells and the row below, which a button opens and closes. `fill` fills `place` when it opens. `key` is the text of
 * the closed button.
 */
export function openingRow(columns, key, fill) {
  const cells = h('tr', { class: 'row' });
  const place = h('td', { colspan: String(columns) });
  const below = h('tr', { class: 'below', hidden: true }, place);
  const toggle = h('button', {
    class: 'button small', type: 'button', 'aria-expanded': 'false',
    onclick: () => {
      below.hidden = !below.hidden;
      toggle.setAttribute('aria-expanded', String(!below.hidden));
      toggle.textContent = t(below.hidden ? key : 'merchant.close');
      place.replaceChildren();
      if (!below.hidden) fill();
    },
  }, t(key));
  return { cells, place, below, toggle };
}

/** A button that loads the next page; `load` shows and hides it. */
export function moreButton(load) {
  const more = h('button', {
    class: 'button more', type: 'button', hidden: true,
    onclick: async () => {
      more.disabled = true;
      await load().catch((error) => toast(explanation(error)));
      more.disabled = false;
    },
  }, t('merchant.more'));
  return more;
}
