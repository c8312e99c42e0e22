-- No index before the rows are written, and no rule before they can keep it.
alter table shop.product
    add constraint product_slug_key unique (slug),
    add constraint product_slug_is_well_formed check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    add constraint product_in_web_shop_has_slug check (not in_web_shop or slug is not null);

-- Bicycles are fitted to their riders, so they stay out of the web shop.
update shop.product as p
   set in_web_shop = true
  from shop.category_path as c
 where c.id = p.category_id
   and c.path[1] <> 'Bicycles'
   and p.slug is not null;
