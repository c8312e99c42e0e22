create table workshop.warranty (
    repair_id integer not null,
    position  smallint not null,
    covers    daterange not null,
    condition text,

    primary key (repair_id, position),
    constraint warranty_task_fkey foreign key (repair_id, position)
        references workshop.repair_task (repair_id, position) on update cascade on delete cascade,
    constraint warranty_has_two_ends check (not isempty(covers) and not lower_inf(covers) and not upper_inf(covers))
);
create index warranty_covers_idx on workshop.warranty using gist (covers);

-- Collected work is covered for as long as the best of its parts, or for three months without any.
insert into workshop.warranty (repair_id, position, covers)
select t.repair_id, t.position,
       daterange(r.closed_on, (r.closed_on + make_interval(months => coalesce(part.months, 3)))::date)
  from workshop.repair as r
  join workshop.repair_task as t on t.repair_id = r.id
  left join lateral (
           select max((p.attributes ->> 'warranty_months')::integer) as months
             from workshop.repair_part as rp
             join shop.product as p on p.id = rp.product_id
            where rp.repair_id = t.repair_id
              and rp.position = t.position
       ) as part on true
 where r.status = 'collected'
   and not t.cancelled
 order by t.repair_id, t.position;

create function workshop.is_under_warranty(repair_id integer, on_day date default current_date) returns boolean
    language sql stable
begin atomic
    select exists (
        select 1
          from workshop.warranty as w
         where w.repair_id = is_under_warranty.repair_id
           and w.covers @> is_under_warranty.on_day
    );
end;
comment on function workshop.is_under_warranty(integer, date) is 'Whether any work of the repair is still covered';
