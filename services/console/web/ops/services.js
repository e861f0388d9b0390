// The five services, in the order in which they stand on the page.

import { lang } from '/assets/words.js';

const NAMES = {
  'product-catalog': ['商品目录', 'Catalogue'],
  order: ['订单', 'Orders'],
  inventory: ['库存', 'Inventory'],
  'search-sync': ['搜索', 'Search'],
  'behavior-analytics': ['行为分析', 'Behaviour'],
};

/** By their directory names. */
export const SERVICES = Object.keys(NAMES);

/** What people call a service. */
export const serviceName = (name) => NAMES[name]?.[lang() === 'en' ? 1 : 0] ?? name;
