// Translations: Chinese (default) and English. Product texts come from the services in both languages.

import { localStore } from '/assets/storage.js';

const MESSAGES = {
  zh: {
    skip: '跳到内容', brand: '拾选', nav: '主导航', orders: '订单', cart: '购物车', tagline: '慢慢挑，挑到对的。',
    'search.placeholder': '搜商品、品牌、拼音', 'search.label': '搜索', 'search.suggested': '搜索建议', 'kind.brand': '品牌', 'kind.category': '分类',
    'foot.note': '一间示范商店：五个服务之间只通过消息协作。', 'foot.ops': '查看系统运行状态', 'foot.merchant': '商家后台',
    'home.trending': '正在热卖', 'home.trending.note': '最近浏览和购买最多的商品', 'home.for': '为你推荐', 'home.for.note': '根据你的浏览和购买记录',
    'home.all': '全部商品', 'home.categories': '分类',
    'list.count': '{n} 件商品', 'list.took': '{ms} 毫秒', 'list.for': '“{q}”的结果', 'list.more': '加载更多', 'list.loading': '正在搜索…',
    'list.none': '没有找到商品', 'list.none.text': '换个说法，或放宽筛选条件。', 'list.clear': '清除筛选', 'list.meant': '你是不是想找',
    'list.filters': '筛选', 'list.sort': '排序',
    'sort.relevance': '相关度', 'sort.popularity': '热度', 'sort.price_asc': '价格从低到高', 'sort.price_desc': '价格从高到低', 'sort.newest': '最新',
    'facet.category': '分类', 'facet.everything': '全部分类', 'facet.brand': '品牌', 'facet.price': '价格', 'facet.in_stock': '只看有货', 'facet.from': '最低', 'facet.to': '最高', 'facet.apply': '应用', 'facet.all': '显示全部 {n} 项',
    'filter.remove': '取消筛选 ', 'filter.show': '查看 {n} 件商品', 'filter.bar': '{range}：{n} 件商品',
    favourites: '收藏', 'favourite.add': '收藏', 'favourite.remove': '已收藏', 'favourite.added': '已收藏', 'favourite.removed': '已取消收藏', 'favourite.full': '收藏已满', 'favourite.none': '还没有收藏', 'favourite.none.text': '在商品页点“收藏”，下次就能很快找到。',
    compare: '商品对比', 'compare.add': '加入对比', 'compare.remove': '移出对比', 'compare.added': '已加入对比', 'compare.removed': '已移出对比', 'compare.full': '最多对比 4 件商品', 'compare.open': '对比 {n} 件商品', 'compare.none': '还没有要对比的商品', 'compare.none.text': '在商品页点“加入对比”，可以把几件商品放在一起看。',
    rankings: '今日热卖榜', 'rankings.note': '按今天的浏览与购买排名', 'rankings.none': '今天还没有排名', 'rankings.none.text': '有人浏览或购买后，这里会出现排名。',
    'home.recent': '最近浏览', 'reason.because': '因为您看过“{title}”', 'search.recent': '最近搜索', 'search.forget': '清除最近搜索',
    'card.from': '{price} 起', 'card.out': '暂时缺货',
    'product.back': '返回', 'product.in_stock': '有货', 'product.low': '仅剩 {n} 件', 'product.out': '暂时缺货', 'product.stock_unknown': '库存查询中', 'product.quantity': '数量',
    'product.add': '加入购物车', 'product.added': '已加入购物车', 'product.all_in_cart': '库存已全部在购物车中', 'product.facts': '参数', 'product.similar': '看了又看', 'product.companions': '一起购买', 'product.sku': '货号',
    'product.gone': '商品不存在', 'product.gone.text': '它可能已经下架。', 'product.archived': '这件商品已下架，仅供查看。', 'product.variant': '款式',
    'qty.less': '减少', 'qty.more': '增加',
    'cart.title': '购物车', 'cart.empty': '购物车还是空的', 'cart.empty.text': '把喜欢的商品加入购物车。', 'cart.browse': '去逛逛', 'cart.remove': '移除', 'cart.sum': '合计', 'cart.note': '按页面显示的价格成交；价格有变时会先请您确认。', 'cart.gone': '已下架', 'cart.changed': '价格由 {was} 变为 {now}',
    'checkout.title': '收货信息', 'checkout.recipient': '收货人', 'checkout.phone': '手机号', 'checkout.province': '省 / 直辖市', 'checkout.city': '城市', 'checkout.line1': '详细地址', 'checkout.postal': '邮编',
    'checkout.example': '填入示例地址', 'checkout.place': '提交订单', 'checkout.placing': '正在提交…', 'checkout.pay': '使用内置的测试支付渠道，不会实际扣款。',
    'checkout.no_shipping_rate': '暂不支持配送到该地址。', 'costs.goods': '商品金额', 'costs.shipping': '运费', 'costs.free': '免运费', 'costs.included': '已含在价格中',
    'coupon.label': '优惠码（选填）', 'coupon.applied': '优惠码已生效。', 'coupon.unknown_coupon': '没有这个优惠码。', 'coupon.coupon_not_in_force': '优惠码不在有效期内。', 'coupon.coupon_used_up': '优惠码已达使用上限。', 'coupon.coupon_not_applicable': '优惠码不适用于这些商品。', 'coupon.min_goods': '商品满 {amount} 才能使用此优惠码。',
    'checkout.price_changed': '价格已变动，尚未下单。请核对新的价格后再提交。', 'checkout.off': '暂时不能下单', 'checkout.off.text': '控制台没有配置签名密钥（TOKEN_KEY_FILE），无法签发购物身份。仍可浏览商品。',
    'progress.order.placed': '订单已提交', 'progress.stock.reserved': '仓库已备货', 'progress.stock.rejected': '库存不足，未能接单', 'progress.stock.released': '预留库存已释放', 'progress.stock.deducted': '商品已出库',
    'progress.payment.approved': '支付成功', 'progress.payment.declined': '支付未通过', 'progress.payment.refund_requested': '已申请退款', 'progress.payment.refunded': '款项已退回', 'progress.payment.mismatched': '支付金额不符，等待人工核对', 'progress.hold.extended': '付款时间已延长',
    'progress.order.confirmed': '订单已确认', 'progress.order.parcel_shipped': '包裹已发出', 'progress.order.shipped': '全部商品已发出', 'progress.shipment.requested': '已通知承运商取件', 'progress.parcel.delivered': '包裹已送达', 'progress.order.delivered': '全部商品已送达',
    'progress.order.cancelled': '订单已取消', 'progress.order.line_cancelled': '部分商品已取消', 'progress.order.expired': '超时未付，订单已关闭', 'progress.order.rejected': '未能接单', 'progress.order.payment_failed': '支付失败，订单已关闭', 'progress.order.return_received': '退货已入库', 'progress.return.requested': '已申请退货', 'progress.return.refused': '退货未通过',
    'order.tracking': '{carrier} 运单号 {number}', 'order.carrier': '快递', 'order.address': '收货地址',
    'reason.no_answer': '没能及时备货。', 'reason.no_total': '订单金额无法计算。', 'reason.lost': '商店恢复数据时丢失了这个订单。', 'reason.payment_timeout': '没有在规定时间内付款。', 'reason.payment_declined': '付款没有通过。', 'reason.cancelled_by_customer': '您取消了订单。', 'reason.cancelled_by_shop': '商店取消了订单。', 'reason.insufficient_stock': '库存不足。', 'reason.unknown_sku': '商品已下架。',
    'return.title': '退货', 'return.start': '申请退货', 'return.quantity': '退货数量', 'return.reason': '退货原因', 'return.send': '提交退货申请', 'return.sent': '已提交退货申请', 'return.none': '请至少选择一件商品。',
    'return.requested': '等待收货', 'return.received': '已收到', 'return.refused': '未通过', 'return.refund': '退款 {amount}', 'return.refund.pending': '退款 {amount} 处理中',
    'return.changed_mind': '不想要了', 'return.does_not_fit': '尺寸不合适', 'return.not_as_described': '与描述不符', 'return.wrong_item': '发错货', 'return.damaged': '运输损坏', 'return.defective': '质量问题', 'return.too_late': '送达太晚', 'return.other': '其他',
    'order.title': '订单', 'order.live': '实时跟踪中', 'order.done': '已结束', 'order.lost': '连接断开，正在重连', 'order.timeline': '订单进度', 'order.lines': '商品', 'order.total': '合计', 'order.pay': '立即支付', 'order.cancel': '取消订单', 'order.cancelled': '已请求取消', 'order.paid': '已请求支付', 'order.hold': '库存为您保留到 {time}，请在此之前付款。', 'order.extend': '延长付款时间', 'order.extended': '付款时间已延长', 'order.reason': '原因',
    'order.none': '还没有订单', 'order.none.text': '下单后，可以在这里查看订单进度。', 'order.mine': '我的订单', 'order.pieces': '{n} 件', 'order.nothing': '等待第一条记录…',
    'status.placed': '已下单', 'status.reserved': '已备货', 'status.confirmed': '已支付', 'status.shipped': '已发货', 'status.delivered': '已送达', 'status.rejected': '未能接单', 'status.payment_failed': '支付失败', 'status.expired': '超时未付', 'status.cancelled': '已取消', 'status.returned': '已退货',
    'error.title': '暂时无法访问', 'error.text': '相关服务可能正在启动或重启，其他功能不受影响。', 'error.again': '重试', 'error.recommendations': '推荐暂时不可用', 'error.trace': '追踪号 {id}',
    'error.absent': '找不到这个页面', 'error.absent.text': '地址可能有误，或者内容不属于当前账号。', 'error.input': '无法按这些条件查看',
    'error.offline': '无法连接商店，请检查网络。', 'error.limited': '请求太频繁，请稍后再试。',

    'staff.sign_in': '员工登录', 'staff.email': '邮箱', 'staff.password': '密码', 'staff.code': '验证码（身份验证器）', 'staff.failed': '账号、密码或验证码不正确。', 'staff.code_required': '请输入身份验证器显示的验证码。', 'staff.off': '控制台没有配置数据库，请使用令牌登录。',
    'ops.title': '运行监控', 'ops.shop': '商店', 'ops.sign_in': '使用令牌登录', 'ops.sign_in.text': '查看队列、事件与死信需要 ops 权限。', 'ops.sign_in.how': '在项目目录中运行以下任一命令，把输出的最后一行粘贴到下面：', 'ops.token': '令牌', 'ops.sign_in.submit': '登录', 'ops.sign_out': '退出', 'ops.sign_in.invalid': '令牌无效或已过期。', 'ops.sign_in.forbidden': '该令牌没有 ops 权限。', 'ops.sign_in.kept': '只保存在当前标签页，关闭后清除。', 'ops.sign_in.unavailable': '控制台没有配置验证密钥，无法验证令牌。',
    'ops.live': '实时', 'ops.lost': '连接断开，正在重连', 'ops.connecting': '正在连接', 'ops.broker.up': '消息代理已连接', 'ops.broker.down': '消息代理未连接', 'ops.bound': '已绑定 {n}/5 个交换机',
    'ops.events': '事件 / 秒', 'ops.messages': '消息 / 秒', 'ops.orders': '订单 / 秒', 'ops.batch': '每条消息的事件数', 'ops.queued': '排队中的消息', 'ops.last_minute': '最近一分钟', 'ops.total': '打开页面以来 {n}',
    'ops.map': '事件流动', 'ops.map.alt': '五个服务围绕消息代理，光点表示正在流动的事件', 'ops.broker': '消息代理', 'ops.per_second': '{n}/秒',
    'ops.services': '服务', 'ops.ready': '就绪', 'ops.degraded': '部分异常', 'ops.not_ready': '未就绪', 'ops.away': '无法连接', 'ops.unknown': '未知',
    'ops.log': '事件日志', 'ops.pause': '暂停', 'ops.resume': '继续', 'ops.clear': '清空', 'ops.filter': '筛选：类型、路由键、主题', 'ops.log.empty': '还没有事件。', 'ops.log.filtered': '没有符合筛选条件的事件。', 'ops.held': '已暂停，另有 {n} 条', 'ops.omitted': '另有 {n} 条消息未逐条列出', 'ops.skipped': '浏览器太慢，跳过了 {n} 批', 'ops.log.time': '时间', 'ops.log.exchange': '交换机', 'ops.log.key': '路由键', 'ops.log.type': '类型', 'ops.log.subject': '主题', 'ops.log.count': '事件数', 'ops.undecodable': '无法解码', 'ops.all': '全部',
    'ops.queues': '队列', 'ops.queue.name': '队列', 'ops.queue.depth': '待投递', 'ops.queue.consumers': '消费者', 'ops.queue.change': '变化 / 秒', 'ops.queue.arrivals': '到达 / 秒', 'ops.queue.time': '停留时间 (毫秒)', 'ops.queue.recent': '近期走势', 'ops.queues.none': '还没有队列。', 'ops.queues.error': '暂时无法读取队列。', 'ops.queue.missing': '尚未创建',
    'ops.dead_letters': '死信', 'ops.dead_letters.none': '没有死信：所有事件都已处理。', 'ops.dead_letters.groups': '{n} 种原因，共 {all} 条', 'ops.dead_letters.silent': '{names} 未响应', 'ops.dead_letters.rate': '每秒最多重新投递',
    'ops.group.open': '逐条查看（最新 20 条）', 'ops.group.redrive': '全部重新投递', 'ops.group.discard': '全部丢弃', 'ops.group.blocking': '{n} 条阻塞同键后续事件', 'ops.group.redriven': '已重新投递 {n} 条', 'ops.group.discarded': '已丢弃 {n} 条', 'ops.group.failed': '再次失败 {n} 条', 'ops.group.not_yet': '{n} 条等待前序事件',
    'ops.dead_letter.dry': '试运行', 'ops.dead_letter.redrive': '重新投递', 'ops.dead_letter.discard': '丢弃', 'ops.dead_letter.sure': '再点一次，永久丢弃', 'ops.dead_letter.lost': '声明前序事件丢失', 'ops.dead_letter.missing': '缺少事件 {first} 至 {last}：', 'ops.dead_letter.none_missing': '没有缺少的事件。', 'ops.dead_letter.lost_reason': '丢失原因（将被记录）', 'ops.dead_letter.declare': '声明丢失', 'ops.dead_letter.more': '原因与内容', 'ops.dead_letter.blocks': '阻塞同键后续事件', 'ops.dead_letter.edited': '已修改', 'ops.dead_letter.tried': '尝试 {n} 次', 'ops.dead_letter.no_event': '不是事件', 'ops.dead_letter.data': '数据', 'ops.dead_letter.save': '保存修改', 'ops.dead_letter.saved': '已保存，原文保留。', 'ops.dead_letter.original': '原文', 'ops.dead_letter.no_json': '不是合法的 JSON：{why}', 'ops.dead_letter.causes': '原因，由外到内', 'ops.dead_letter.exchange': '交换机 / 路由键', 'ops.dead_letter.event': '事件 ID', 'ops.dead_letter.trace': '追踪',
    'ops.schema': '与类型的 schema 是否相符', 'ops.schema.readable': '处理程序可以解码。', 'ops.schema.unreadable': '处理程序无法解码：', 'ops.schema.place': '位置', 'ops.schema.what': '问题', 'ops.schema.expected': '应为', 'ops.schema.found': '实为', 'ops.schema.missing': '缺少', 'ops.schema.unknown': '多余', 'ops.schema.wrong_type': '类型不符', 'ops.schema.wrong_value': '取值不符',
    'ops.dry_run.takes_effect': '试运行成功，未留下任何改动。', 'ops.dry_run.ignored': '没有处理程序，只会标记为已重新投递。', 'ops.dry_run.already_done': '已经生效，只会标记为已重新投递。', 'ops.dry_run.not_yet': '需要先处理前序死信', 'ops.dry_run.fails': '仍然失败', 'ops.dry_run.publishes': '将发布',
    'ops.audit': '审计', 'ops.audit.start': '检查全部不变量', 'ops.audit.none': '尚未检查。营业期间也可以检查：途中的消息不算违规。', 'ops.audit.running': '检查中：第 {pass} 轮后余 {n} 处差异，已用 {s} 秒', 'ops.audit.clean': '{at}：全部成立，用时 {s} 秒', 'ops.audit.violated': '{at}：{n} 处违规，用时 {s} 秒', 'ops.audit.failed': '{at}：检查失败', 'ops.audit.in_flight': '{n} 处差异仍在途中', 'ops.audit.holds': '成立', 'ops.audit.violations': '{n} 处违规', 'ops.audit.more': '……另有 {n} 处',
    'ops.invariant.1': '每个已受理的订单恰有一个结果，或仍在期限内', 'ops.invariant.2': '库存与流水一致，没有超卖', 'ops.invariant.3': '每笔预留都属于未结订单，或已释放或扣减', 'ops.invariant.4': '搜索、库存、订单与推荐中的商品副本与目录一致', 'ops.invariant.5': '没有滞留的消息和事件', 'ops.invariant.6': '每个已受理的用户事件只计一次',
    'ops.dead_letters.zero': '没有', 'ops.all_ready': '全部就绪', 'ops.some_not_ready': '{n} 个服务有异常',
  },
  en: {
    skip: 'Skip to content', brand: 'Shixuan', nav: 'Main', orders: 'Orders', cart: 'Cart', tagline: 'Take your time. Find the right one.',
    'search.placeholder': 'Search products, brands, pinyin', 'search.label': 'Search', 'search.suggested': 'Suggestions', 'kind.brand': 'Brand', 'kind.category': 'Category',
    'foot.note': 'A demonstration shop: five services that cooperate only through messages.', 'foot.ops': 'Operations page', 'foot.merchant': 'Merchant’s page',
    'home.trending': 'Trending now', 'home.trending.note': 'Most viewed and bought right now', 'home.for': 'For you', 'home.for.note': 'Based on what you viewed and bought',
    'home.all': 'All products', 'home.categories': 'Categories',
    'list.count': '{n} products', 'list.took': '{ms} ms', 'list.for': 'Results for “{q}”', 'list.more': 'Show more', 'list.loading': 'Searching…',
    'list.none': 'Nothing found', 'list.none.text': 'Try other words or fewer filters.', 'list.clear': 'Clear filters', 'list.meant': 'Did you mean',
    'list.filters': 'Filters', 'list.sort': 'Sort',
    'sort.relevance': 'Relevance', 'sort.popularity': 'Popularity', 'sort.price_asc': 'Price, low to high', 'sort.price_desc': 'Price, high to low', 'sort.newest': 'Newest',
    'facet.category': 'Category', 'facet.everything': 'All categories', 'facet.brand': 'Brand', 'facet.price': 'Price', 'facet.in_stock': 'In stock only', 'facet.from': 'From', 'facet.to': 'To', 'facet.apply': 'Apply', 'facet.all': 'Show all {n}',
    'filter.remove': 'Remove filter ', 'filter.show': 'Show {n} products', 'filter.bar': '{range}: {n} products',
    favourites: 'Favourites', 'favourite.add': 'Add to favourites', 'favourite.remove': 'In your favourites', 'favourite.added': 'Added to your favourites', 'favourite.removed': 'Removed from your favourites', 'favourite.full': 'Your favourites are full', 'favourite.none': 'No favourites yet', 'favourite.none.text': 'Add a product to your favourites, and you will find it here.',
    compare: 'Compare', 'compare.add': 'Compare', 'compare.remove': 'Do not compare', 'compare.added': 'Added to the comparison', 'compare.removed': 'Removed from the comparison', 'compare.full': 'You can compare 4 products', 'compare.open': 'Compare {n} products', 'compare.none': 'Nothing to compare yet', 'compare.none.text': 'Choose “Compare” on the pages of some products to see them side by side.',
    rankings: 'Best sellers today', 'rankings.note': 'Ranked by the views and purchases of today', 'rankings.none': 'No ranking yet today', 'rankings.none.text': 'It appears when people view and buy products.',
    'home.recent': 'Recently viewed', 'reason.because': 'Because you viewed “{title}”', 'search.recent': 'Recent searches', 'search.forget': 'Clear recent searches',
    'card.from': 'from {price}', 'card.out': 'Out of stock',
    'product.back': 'Back', 'product.in_stock': 'In stock', 'product.low': 'Only {n} left', 'product.out': 'Out of stock', 'product.stock_unknown': 'Checking stock', 'product.quantity': 'Quantity',
    'product.add': 'Add to cart', 'product.added': 'Added to your cart', 'product.all_in_cart': 'All pieces in stock are in your cart', 'product.facts': 'Details', 'product.similar': 'People also viewed', 'product.companions': 'Bought together', 'product.sku': 'SKU',
    'product.gone': 'Product not found', 'product.gone.text': 'It may no longer be for sale.', 'product.archived': 'No longer for sale; shown for reference.', 'product.variant': 'Variant',
    'qty.less': 'Fewer', 'qty.more': 'More',
    'cart.title': 'Cart', 'cart.empty': 'Your cart is empty', 'cart.empty.text': 'Add products that you like.', 'cart.browse': 'Browse products', 'cart.remove': 'Remove', 'cart.sum': 'Total', 'cart.note': 'You pay the prices shown here; if one changes, you are asked first.', 'cart.gone': 'No longer for sale', 'cart.changed': 'Price changed from {was} to {now}',
    'checkout.title': 'Delivery', 'checkout.recipient': 'Name', 'checkout.phone': 'Phone', 'checkout.province': 'Province', 'checkout.city': 'City', 'checkout.line1': 'Address', 'checkout.postal': 'Postal code',
    'checkout.example': 'Fill in an example', 'checkout.place': 'Place order', 'checkout.placing': 'Placing…', 'checkout.pay': 'Uses the built-in test payment provider; you are not charged.',
    'checkout.no_shipping_rate': 'We do not ship to this address.', 'costs.goods': 'Items', 'costs.shipping': 'Shipping', 'costs.free': 'Free', 'costs.included': 'included in the prices',
    'coupon.label': 'Coupon code (optional)', 'coupon.applied': 'Coupon applied.', 'coupon.unknown_coupon': 'There is no such coupon.', 'coupon.coupon_not_in_force': 'This coupon is not valid now.', 'coupon.coupon_used_up': 'This coupon has been used up.', 'coupon.coupon_not_applicable': 'This coupon does not apply to these items.', 'coupon.min_goods': 'This coupon needs items worth {amount}.',
    'checkout.price_changed': 'Prices have changed, so nothing was ordered. Check the new prices and place the order again.', 'checkout.off': 'Ordering is off', 'checkout.off.text': 'The console has no signing key (TOKEN_KEY_FILE), so it cannot issue a shopper identity. You can still browse products.',
    'progress.order.placed': 'Order placed', 'progress.stock.reserved': 'Pieces reserved in the warehouse', 'progress.stock.rejected': 'Not enough in stock', 'progress.stock.released': 'Reserved pieces released', 'progress.stock.deducted': 'Pieces left the warehouse',
    'progress.payment.approved': 'Paid', 'progress.payment.declined': 'Payment declined', 'progress.payment.refund_requested': 'Refund requested', 'progress.payment.refunded': 'Refunded', 'progress.payment.mismatched': 'Paid amount differs and will be checked', 'progress.hold.extended': 'More time to pay',
    'progress.order.confirmed': 'Order confirmed', 'progress.order.parcel_shipped': 'Parcel shipped', 'progress.order.shipped': 'Everything shipped', 'progress.shipment.requested': 'Carrier notified', 'progress.parcel.delivered': 'Parcel delivered', 'progress.order.delivered': 'Everything delivered',
    'progress.order.cancelled': 'Order cancelled', 'progress.order.line_cancelled': 'Items cancelled', 'progress.order.expired': 'Not paid in time', 'progress.order.rejected': 'Order not accepted', 'progress.order.payment_failed': 'Payment failed', 'progress.order.return_received': 'Return received', 'progress.return.requested': 'Return requested', 'progress.return.refused': 'Return refused',
    'order.tracking': '{carrier}, tracking number {number}', 'order.carrier': 'Carrier', 'order.address': 'Delivery address',
    'reason.no_answer': 'The pieces were not reserved in time.', 'reason.no_total': 'Its total could not be calculated.', 'reason.lost': 'It was lost when the shop restored its data.', 'reason.payment_timeout': 'It was not paid in time.', 'reason.payment_declined': 'The payment was declined.', 'reason.cancelled_by_customer': 'You cancelled it.', 'reason.cancelled_by_shop': 'The shop cancelled it.', 'reason.insufficient_stock': 'Not enough pieces are in stock.', 'reason.unknown_sku': 'A product is no longer for sale.',
    'return.title': 'Returns', 'return.start': 'Return items', 'return.quantity': 'Pieces to return', 'return.reason': 'Reason', 'return.send': 'Request the return', 'return.sent': 'Return requested', 'return.none': 'Choose at least one piece.',
    'return.requested': 'Waiting for it', 'return.received': 'Received', 'return.refused': 'Refused', 'return.refund': '{amount} refunded', 'return.refund.pending': '{amount} will be refunded',
    'return.changed_mind': 'Changed my mind', 'return.does_not_fit': 'Does not fit', 'return.not_as_described': 'Not as described', 'return.wrong_item': 'Wrong item', 'return.damaged': 'Damaged on the way', 'return.defective': 'Defective', 'return.too_late': 'Arrived too late', 'return.other': 'Other',
    'order.title': 'Order', 'order.live': 'Live', 'order.done': 'Finished', 'order.lost': 'Connection lost, reconnecting', 'order.timeline': 'Timeline', 'order.lines': 'Items', 'order.total': 'Total', 'order.pay': 'Pay now', 'order.cancel': 'Cancel order', 'order.cancelled': 'Cancellation requested', 'order.paid': 'Payment requested', 'order.hold': 'The items are held for you until {time}. Pay before then.', 'order.extend': 'Extend the time', 'order.extended': 'Time extended', 'order.reason': 'Reason',
    'order.none': 'No orders yet', 'order.none.text': 'After you place an order, you can follow it here.', 'order.mine': 'My orders', 'order.pieces': '{n} items', 'order.nothing': 'Waiting for the first entry…',
    'status.placed': 'Placed', 'status.reserved': 'Reserved', 'status.confirmed': 'Paid', 'status.shipped': 'Shipped', 'status.delivered': 'Delivered', 'status.rejected': 'Rejected', 'status.payment_failed': 'Payment failed', 'status.expired': 'Expired', 'status.cancelled': 'Cancelled', 'status.returned': 'Returned',
    'error.title': 'Currently unavailable', 'error.text': 'The service may be starting. Other parts of the shop still work.', 'error.again': 'Try again', 'error.recommendations': 'Recommendations are currently unavailable', 'error.trace': 'Trace {id}',
    'error.absent': 'Page not found', 'error.absent.text': 'The address may be wrong, or the page belongs to another account.', 'error.input': 'These conditions do not work',
    'error.offline': 'Cannot reach the shop. Check your network.', 'error.limited': 'Too many requests. Try again in a moment.',

    'staff.sign_in': 'Staff sign-in', 'staff.email': 'E-mail', 'staff.password': 'Password', 'staff.code': 'Code of the authenticator app', 'staff.failed': 'The account, the password or the code is wrong.', 'staff.code_required': 'Enter the code that the authenticator app shows.', 'staff.off': 'The console has no database. Sign in with a token.',
    'ops.title': 'Operations', 'ops.shop': 'Shop', 'ops.sign_in': 'Sign in with a token', 'ops.sign_in.text': 'Queues, events and dead letters require the scope ops.', 'ops.sign_in.how': 'Run one of these commands in the project folder and paste the last line of its output:', 'ops.token': 'Token', 'ops.sign_in.submit': 'Sign in', 'ops.sign_out': 'Sign out', 'ops.sign_in.invalid': 'The token is invalid or expired.', 'ops.sign_in.forbidden': 'This token lacks the scope ops.', 'ops.sign_in.kept': 'Stored in this tab only, until you close it.', 'ops.sign_in.unavailable': 'The console has no key to verify tokens.',
    'ops.live': 'Live', 'ops.lost': 'Connection lost, reconnecting', 'ops.connecting': 'Connecting', 'ops.broker.up': 'Broker connected', 'ops.broker.down': 'Broker not connected', 'ops.bound': 'bound to {n} of 5 exchanges',
    'ops.events': 'Events / s', 'ops.messages': 'Messages / s', 'ops.orders': 'Orders / s', 'ops.batch': 'Events per message', 'ops.queued': 'Messages waiting', 'ops.last_minute': 'last minute', 'ops.total': '{n} since the page was opened',
    'ops.map': 'Event flow', 'ops.map.alt': 'Five services around the broker; dots are events in transit', 'ops.broker': 'broker', 'ops.per_second': '{n}/s',
    'ops.services': 'Services', 'ops.ready': 'ready', 'ops.degraded': 'degraded', 'ops.not_ready': 'not ready', 'ops.away': 'unreachable', 'ops.unknown': 'unknown',
    'ops.log': 'Event log', 'ops.pause': 'Pause', 'ops.resume': 'Resume', 'ops.clear': 'Clear', 'ops.filter': 'Filter: type, routing key, subject', 'ops.log.empty': 'No events yet.', 'ops.log.filtered': 'No event matches the filter.', 'ops.held': 'Paused, {n} new', 'ops.omitted': '{n} more messages not listed', 'ops.skipped': 'The browser was too slow: {n} batches skipped', 'ops.log.time': 'Time', 'ops.log.exchange': 'Exchange', 'ops.log.key': 'Routing key', 'ops.log.type': 'Type', 'ops.log.subject': 'Subject', 'ops.log.count': 'Events', 'ops.undecodable': 'undecodable', 'ops.all': 'All',
    'ops.queues': 'Queues', 'ops.queue.name': 'Queue', 'ops.queue.depth': 'Ready', 'ops.queue.consumers': 'Consumers', 'ops.queue.change': 'Change / s', 'ops.queue.arrivals': 'Arrivals / s', 'ops.queue.time': 'Time in system (ms)', 'ops.queue.recent': 'Recent', 'ops.queues.none': 'No queues yet.', 'ops.queues.error': 'Cannot read the queues right now.', 'ops.queue.missing': 'not declared yet',
    'ops.dead_letters': 'Dead letters', 'ops.dead_letters.none': 'No dead letters: every event was handled.', 'ops.dead_letters.groups': '{n} causes, {all} dead letters', 'ops.dead_letters.silent': '{names}: no response', 'ops.dead_letters.rate': 'Maximum redrives per second',
    'ops.group.open': 'List (newest 20)', 'ops.group.redrive': 'Redrive all', 'ops.group.discard': 'Discard all', 'ops.group.blocking': '{n} block later events of their keys', 'ops.group.redriven': '{n} redriven', 'ops.group.discarded': '{n} discarded', 'ops.group.failed': '{n} failed again', 'ops.group.not_yet': '{n} wait for an earlier event',
    'ops.dead_letter.dry': 'Dry run', 'ops.dead_letter.redrive': 'Redrive', 'ops.dead_letter.discard': 'Discard', 'ops.dead_letter.sure': 'Click again to discard permanently', 'ops.dead_letter.lost': 'Declare its predecessors lost', 'ops.dead_letter.missing': 'Events {first} to {last} are missing:', 'ops.dead_letter.none_missing': 'No event is missing.', 'ops.dead_letter.lost_reason': 'Why they are lost (recorded)', 'ops.dead_letter.declare': 'Declare lost', 'ops.dead_letter.more': 'Causes and content', 'ops.dead_letter.blocks': 'blocks later events of its key', 'ops.dead_letter.edited': 'edited', 'ops.dead_letter.tried': '{n} attempts', 'ops.dead_letter.no_event': 'not an event', 'ops.dead_letter.data': 'Data', 'ops.dead_letter.save': 'Save', 'ops.dead_letter.saved': 'Saved. The original is kept.', 'ops.dead_letter.original': 'Original', 'ops.dead_letter.no_json': 'Not valid JSON: {why}', 'ops.dead_letter.causes': 'Causes, outermost first', 'ops.dead_letter.exchange': 'Exchange / routing key', 'ops.dead_letter.event': 'Event id', 'ops.dead_letter.trace': 'Trace',
    'ops.schema': 'Comparison with the schema', 'ops.schema.readable': 'The handler can decode it.', 'ops.schema.unreadable': 'The handler cannot decode it:', 'ops.schema.place': 'Field', 'ops.schema.what': 'Problem', 'ops.schema.expected': 'Expected', 'ops.schema.found': 'Found', 'ops.schema.missing': 'missing', 'ops.schema.unknown': 'unknown field', 'ops.schema.wrong_type': 'wrong type', 'ops.schema.wrong_value': 'wrong value',
    'ops.dry_run.takes_effect': 'Would take effect. Nothing was changed.', 'ops.dry_run.ignored': 'Ignored type: it would only be marked as redriven.', 'ops.dry_run.already_done': 'Already applied: it would only be marked as redriven.', 'ops.dry_run.not_yet': 'Blocked: resolve the earlier dead letters of its key first', 'ops.dry_run.fails': 'Would fail again', 'ops.dry_run.publishes': 'would publish',
    'ops.audit': 'Audit', 'ops.audit.start': 'Check all invariants', 'ops.audit.none': 'Not checked yet. It may run while the shop is open: what is on its way is no violation.', 'ops.audit.running': 'Running: {n} differences left after pass {pass}, {s} s', 'ops.audit.clean': '{at}: all invariants hold, {s} s', 'ops.audit.violated': '{at}: {n} violations, {s} s', 'ops.audit.failed': '{at}: failed', 'ops.audit.in_flight': '{n} differences in flight', 'ops.audit.holds': 'holds', 'ops.audit.violations': '{n} violations', 'ops.audit.more': '… and {n} more',
    'ops.invariant.1': 'Every accepted order has exactly one outcome, or is within its deadline', 'ops.invariant.2': 'Stock equals its ledger, and nothing is oversold', 'ops.invariant.3': 'Every reservation belongs to an open order, or has been released or deducted', 'ops.invariant.4': 'Search, inventory, orders and recommendations have the products of the catalogue', 'ops.invariant.5': 'No message and no event is stuck', 'ops.invariant.6': 'Every accepted user event is counted once',
    'ops.dead_letters.zero': 'none', 'ops.all_ready': 'All ready', 'ops.some_not_ready': '{n} services need attention',
  },
};

let language = localStore.get('lang') === 'en' ? 'en' : 'zh';

/** The current language: `zh` or `en`. */
export const lang = () => language;

/** The BCP 47 tag of the current language. */
export const locale = () => (language === 'en' ? 'en' : 'zh-CN');

/** Adds the texts of one page: `{ zh, en }`. */
export function addTexts(texts) {
  for (const name of ['zh', 'en']) Object.assign(MESSAGES[name], texts[name]);
}

/** The text of `key`, with `{name}` placeholders replaced. */
export function t(key, values = {}) {
  const text = MESSAGES[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Whether `key` has a translation. */
export const known = (key) => key in MESSAGES[language];

/** A text from a service: a plain string, or an object with `zh` and `en`. */
export function localized(text) {
  if (text === undefined || text === null) return '';
  if (typeof text !== 'object') return String(text);
  const [first, second] = language === 'en' ? [text.en, text.zh] : [text.zh, text.en];
  return first || second || '';
}

/** Translates all elements under `root` with a `data-t` attribute. */
export function translate(root = document) {
  document.documentElement.lang = locale();
  for (const node of root.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll('[data-t-placeholder]')) node.placeholder = t(node.dataset.tPlaceholder);
  for (const node of root.querySelectorAll('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel));
}

/** Makes `button` switch the language; `redraw` renders the dynamic parts again. */
export function initLanguageToggle(button, redraw) {
  const label = () => {
    button.textContent = language === 'en' ? '中文' : 'EN';
    button.lang = language === 'en' ? 'zh-CN' : 'en';
  };
  button.addEventListener('click', () => {
    language = language === 'en' ? 'zh' : 'en';
    localStore.set('lang', language);
    label();
    translate();
    redraw();
  });
  label();
  translate();
}

/** The number of decimals of a currency: 2 for CNY, 0 for JPY. */
export function decimals(currency) {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
  } catch {
    return 2;
  }
}

/** Formats an amount of minor units. */
export function formatPrice(money) {
  if (money === undefined || money === null) return '';
  const { amount, currency } = typeof money === 'object' ? money : { amount: money, currency: 'CNY' };
  try {
    const format = new Intl.NumberFormat(locale(), { style: 'currency', currency, currencyDisplay: 'narrowSymbol' });
    return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  } catch {
    return `${amount / 100} ${currency}`;
  }
}

/** Formats a number with grouped digits. */
export const formatCount = (n) => new Intl.NumberFormat(locale()).format(n);

/** Formats an instant as date and time. */
export const formatDateTime = (at) => new Date(at).toLocaleString(locale(), { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });

/** Formats an instant as time of day with milliseconds. */
export function formatTime(at) {
  const date = new Date(at);
  const two = (n) => String(n).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
