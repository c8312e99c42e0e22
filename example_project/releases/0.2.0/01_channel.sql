create type shop.channel as enum ('counter', 'phone', 'web');

-- A constant default is kept in the catalog: no row of the partitions is rewritten.
alter table shop.sale add column channel shop.channel not null default 'counter';
alter table shop."order" add column channel shop.channel not null default 'counter';

comment on type shop.channel is 'How the customer came to us';
