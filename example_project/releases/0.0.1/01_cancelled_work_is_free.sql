-- Work that the customer cancelled was counted in the estimate, and so in workshop.repair_total,
-- the tag and the bill. Same name and type as before: what depends on the function keeps working.
create or replace function workshop.estimate_repair(repair_id integer) returns workshop.estimate
    language sql stable
as $$
    with kept as (
        select t.position, t.minutes_planned, t.price
          from workshop.repair_task as t
         where t.repair_id = estimate_repair.repair_id
           and not t.cancelled
    )
    select (
        (select coalesce(sum(minutes_planned), 0) from kept),
        (select coalesce(sum(price), 0) from kept),
        (select coalesce(sum(p.quantity * p.unit_price), 0)
           from workshop.repair_part as p
           join kept using (position)
          where p.repair_id = estimate_repair.repair_id)
    )::workshop.estimate;
$$;

comment on function workshop.estimate_repair(integer) is
    'Minutes and euros of the tasks that were not cancelled, and of the parts used in them';
