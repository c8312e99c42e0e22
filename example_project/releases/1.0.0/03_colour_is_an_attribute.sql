-- One place for what only some products have. A colour that is there already wins.
update shop.product
   set attributes = jsonb_build_object('colour', colour) || attributes
 where colour is not null;

alter table shop.product drop column colour;

comment on column shop.product.attributes is 'Keys in use: colour, weight_g, warranty_months';
