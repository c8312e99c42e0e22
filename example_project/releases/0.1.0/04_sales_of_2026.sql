-- Without its partition the first sale of the new year would be refused.
select shop.ensure_sale_partition(month)
  from unnest('{2026-01-01,2026-02-01,2026-03-01}'::date[]) as month;

-- Added here and first used in a later release: a new value cannot be used in the transaction that adds it.
alter type shop.order_status add value if not exists 'returned' after 'collected';
