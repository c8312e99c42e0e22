create type shop.loyalty_tier as enum ('bronze', 'silver', 'gold');

create table shop.loyalty_card (
    id          integer generated always as identity primary key,
    customer_id integer not null unique references shop.customer (id) on delete cascade,
    number      text not null unique,
    points      integer not null default 0,
    tier        shop.loyalty_tier not null default 'bronze',
    issued_on   date not null default current_date,

    constraint loyalty_card_number_is_well_formed check (number ~ '^L[0-9]{8}$'),
    constraint loyalty_card_points_are_not_negative check (points >= 0)
);
comment on column shop.loyalty_card.points is 'Kept by a trigger on shop.loyalty_entry, like tier';

create table shop.loyalty_entry (
    id       bigint generated always as identity primary key,
    card_id  integer not null references shop.loyalty_card (id) on delete cascade,
    points   integer not null,
    sold_on  date,
    sale_id  bigint,
    noted_at timestamptz not null default now(),

    constraint loyalty_entry_sale_fkey foreign key (sold_on, sale_id) references shop.sale (sold_on, id),
    constraint loyalty_entry_names_a_whole_sale check ((sold_on is null) = (sale_id is null)),
    constraint loyalty_entry_moves_something check (points <> 0)
);
comment on table shop.loyalty_entry is 'Points earned by a sale, or (with no sale) given and spent otherwise';
create index loyalty_entry_card_id_idx on shop.loyalty_entry (card_id);
create unique index loyalty_entry_sale_key on shop.loyalty_entry (sold_on, sale_id) where sale_id is not null;

create function shop.tier_for(points integer) returns shop.loyalty_tier
    language sql immutable
begin atomic
    select case
               when points >= 250 then 'gold'
               when points >= 100 then 'silver'
               else 'bronze'
           end::shop.loyalty_tier;
end;

create function shop.apply_loyalty_entry() returns trigger
    language plpgsql
as $$
begin
    -- Spending points must not take away the tier, so the tier only rises.
    update shop.loyalty_card
       set points = points + new.points,
           tier = greatest(tier, shop.tier_for(points + new.points))
     where id = new.card_id;
    return null;
end
$$;

create trigger loyalty_entry_is_applied
    after insert on shop.loyalty_entry
    for each row execute function shop.apply_loyalty_entry();

create trigger loyalty_entry_is_a_journal
    before update on shop.loyalty_entry
    for each row execute function shop.refuse_change();

-- Customers who spent more than 500 euros in 2025 start with a card and a point for each 10 euros.
insert into shop.loyalty_card (customer_id, number, issued_on)
select customer_id, 'L' || lpad(customer_id::text, 8, '0'), date '2026-01-02'
  from shop.sale
 where sold_on >= date '2025-01-01'
   and sold_on < date '2026-01-01'
   and customer_id is not null
 group by customer_id
having sum(quantity * unit_price) > 500
 order by customer_id;

insert into shop.loyalty_entry (card_id, points, noted_at)
select card.id, floor(sum(s.quantity * s.unit_price) / 10), timestamptz '2026-01-02 08:00+00'
  from shop.loyalty_card as card
  join shop.sale as s on s.customer_id = card.customer_id
 where s.sold_on >= date '2025-01-01'
   and s.sold_on < date '2026-01-01'
 group by card.id
 order by card.id;
