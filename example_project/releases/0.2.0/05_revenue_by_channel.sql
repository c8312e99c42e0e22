-- A materialised view cannot be replaced in place. The figures gain the channel and lose what was
-- returned; a return counts in the month of its sale. The columns of before keep their names.
drop materialized view shop.revenue_by_month;

create materialized view shop.revenue_by_month as
with returned as (
    select sold_on, sale_id, sum(quantity) as quantity
      from shop.sale_return
     group by sold_on, sale_id
)
select date_trunc('month', s.sold_on::timestamp)::date as month,
       p.category_id,
       s.channel,
       count(distinct s.receipt_no) as receipts,
       sum(s.quantity - coalesce(r.quantity, 0)) as pieces,
       sum((s.quantity - coalesce(r.quantity, 0)) * s.unit_price) as revenue
  from shop.sale as s
  join shop.product as p on p.id = s.product_id
  left join returned as r on r.sold_on = s.sold_on and r.sale_id = s.id
 group by 1, 2, 3;

comment on materialized view shop.revenue_by_month is
    'Net of returns, for the owner''s Monday morning; as fresh as its last refresh';
create unique index revenue_by_month_key on shop.revenue_by_month (month, category_id, channel);
