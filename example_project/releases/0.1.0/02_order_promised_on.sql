-- Customers ask when their order will be there. Orders from before are given the date we would have
-- named: the longest delivery time among what was ordered.
alter table shop."order" add column promised_on date;
comment on column shop."order".promised_on is 'The day we told the customer';

update shop."order" as o
   set promised_on = o.placed_on + coalesce(
           (
               select max(s.lead_days)
                 from shop.order_line as l
                 join shop.product as p on p.id = l.product_id
                 join shop.supplier as s on s.id = p.supplier_id
                where l.order_id = o.id
           ),
           14
       );

-- The till does not fill the column yet; the default keeps it going until it does.
alter table shop."order"
    alter column promised_on set default current_date + 14,
    alter column promised_on set not null,
    add constraint order_is_promised_after_placing check (promised_on >= placed_on);
