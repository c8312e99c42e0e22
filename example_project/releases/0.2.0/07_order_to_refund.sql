-- The status "returned" came with an earlier release, so it may be used now.
create view shop.order_to_refund as
select o.id as order_id, c.id as customer_id, c.email, o.channel,
       shop.order_total(o.id) as total, o.deposit
  from shop."order" as o
  join shop.customer as c on c.id = o.customer_id
 where o.status = 'returned';
comment on view shop.order_to_refund is 'Orders that came back; the total is what the customer paid';
