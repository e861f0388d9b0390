// The five services, in display order.

import { lang } from '/assets/i18n.js';

const NAMES = {
  'product-catalog': ['商品目录', 'Catalogue'],
  order: ['订单', 'Orders'],
  inventory: ['库存', 'Inventory'],
  'search-sync': ['搜索', 'Search'],
  'behavior-analytics': ['行为分析', 'Behaviour'],
};

export const SERVICES = Object.keys(NAMES);

/** The display name of a service. */
export const serviceName = (name) => NAMES[name]?.[lang() === 'en' ? 1 : 0] ?? name;
