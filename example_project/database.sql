-- The database of a bicycle workshop with a shop, as it was before hop took it over (release 0.0.0).
--
-- Load it into an empty UTF-8 database, in one transaction:
--
--     psql -X -v ON_ERROR_STOP=1 -1 -f database.sql DATABASE
--
-- The rows are computed, not drawn: every server gets the same ones, so tests and demonstrations
-- can be repeated. "Today" in these rows is the last day of 2025.

set client_encoding = 'UTF8';
set timezone = 'UTC';
set client_min_messages = warning;

do $$
begin
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'the database is encoded in %, but the rows need UTF8', current_setting('server_encoding')
            using hint = 'Create it with: create database ... template template0 encoding ''UTF8''.';
    end if;
end
$$;

-- The exclusion constraint on workshop.stand_booking compares an integer with = in a GiST index.
create extension if not exists btree_gist with schema public;

create schema staff;
create schema shop;
create schema workshop;

comment on schema staff is 'The people who work here';
comment on schema shop is 'What is bought, kept on the shelves and sold';
comment on schema workshop is 'Bicycles that come in for repair, and what is done to them';


-- Types ---------------------------------------------------------------------------------------

create type staff.role as enum ('owner', 'manager', 'mechanic', 'apprentice', 'sales');

create domain shop.amount as numeric(10, 2)
    constraint amount_is_not_negative check (value >= 0);
comment on domain shop.amount is 'Euros, VAT included unless the column says otherwise';

create domain shop.sku as text
    constraint sku_is_well_formed check (value ~ '^[A-Z]{2}-[0-9]{5}$');

create type shop.movement_reason as enum ('delivery', 'sale', 'repair', 'return', 'count');
create type shop.order_status as enum ('open', 'ordered', 'ready', 'collected', 'cancelled');
create type shop.payment as enum ('cash', 'card', 'voucher', 'invoice');

create type workshop.bike_kind as enum ('city', 'touring', 'road', 'mountain', 'cargo', 'e-bike', 'child');
create type workshop.repair_status as enum (
    'booked', 'in_progress', 'waiting_for_parts', 'done', 'collected', 'cancelled'
);

create type workshop.estimate as (
    minutes integer,
    labour  numeric(10, 2),
    parts   numeric(10, 2)
);
comment on type workshop.estimate is 'What a repair is expected to take: minutes of work, and euros';


-- Staff ---------------------------------------------------------------------------------------

create table staff.person (
    id           integer generated always as identity primary key,
    full_name    text not null,
    role         staff.role not null,
    mentor_id    integer references staff.person (id) on delete set null,
    hired_on     date not null,
    left_on      date,
    weekly_hours numeric(4, 1) not null default 38,
    languages    text[] not null default '{nl}',

    constraint person_has_a_name check (btrim(full_name) <> ''),
    constraint person_is_not_own_mentor check (mentor_id <> id),
    constraint person_left_after_hiring check (left_on >= hired_on),
    constraint person_hours_are_legal check (weekly_hours between 0 and 48)
);
comment on column staff.person.mentor_id is 'Who answers this person''s questions; empty for the owner';
comment on column staff.person.languages is 'ISO 639-1 codes, the best spoken first';


-- Shop ----------------------------------------------------------------------------------------

create table shop.supplier (
    id          integer generated always as identity primary key,
    name        text not null unique,
    "VATNumber" text,
    contact     jsonb not null default '{}',
    lead_days   smallint not null default 7,

    constraint supplier_delivers_some_day check (lead_days between 0 and 180)
);
comment on column shop.supplier."VATNumber" is
    'Spelled as in the accounting program''s export, which finds its columns by their exact names';

create table shop.category (
    id        integer generated always as identity primary key,
    parent_id integer references shop.category (id) on delete restrict,
    name      text not null,

    constraint category_is_not_own_parent check (parent_id <> id)
);
-- An expression, because a plain unique constraint would let two top categories have one name.
create unique index category_name_key on shop.category (coalesce(parent_id, 0), lower(name));

create table shop.product (
    id              integer generated always as identity primary key,
    sku             shop.sku not null unique,
    name            text not null,
    category_id     integer not null references shop.category (id),
    supplier_id     integer not null references shop.supplier (id),
    cost            shop.amount not null,
    price           shop.amount not null,
    margin          numeric(10, 2) generated always as (price - cost) stored,
    colour          text,
    tags            text[] not null default '{}',
    attributes      jsonb not null default '{}',
    discontinued_on date,
    updated_at      timestamptz not null default now(),

    constraint product_attributes_are_an_object check (jsonb_typeof(attributes) = 'object')
);
comment on column shop.product.cost is 'What the supplier asks, VAT not included';
comment on column shop.product.margin is 'May be negative: some things are sold off below cost';

create index product_current_name_idx on shop.product (lower(name)) where discontinued_on is null;
create index product_attributes_idx on shop.product using gin (attributes jsonb_path_ops);
create index product_tags_idx on shop.product using gin (tags);
create index product_category_id_idx on shop.product (category_id);

create table shop.stock (
    product_id    integer primary key references shop.product (id) on delete cascade,
    on_hand       integer not null default 0,
    reorder_level integer not null default 0,
    shelf         text not null default 'counter',

    constraint stock_is_not_negative check (on_hand >= 0),
    constraint stock_reorder_level_is_not_negative check (reorder_level >= 0)
);
comment on column shop.stock.on_hand is 'Kept by triggers on shop.stock_movement; never update it by hand';

create table shop.stock_movement (
    id          bigint generated always as identity primary key,
    product_id  integer not null references shop.stock (product_id),
    quantity    integer not null,
    reason      shop.movement_reason not null,
    note        text,
    happened_at timestamptz not null default now(),

    constraint stock_movement_moves_something check (quantity <> 0),
    constraint stock_movement_goes_the_right_way check (
        case
            when reason in ('sale', 'repair') then quantity < 0
            when reason in ('delivery', 'return') then quantity > 0
            else true
        end
    )
);
create index stock_movement_product_id_idx on shop.stock_movement (product_id, happened_at desc);

create table shop.customer (
    id          integer generated always as identity primary key,
    name        text not null,
    email       text,
    phone       text,
    address     jsonb not null default '{}',
    newsletter  boolean not null default false,
    customer_on date not null default current_date,

    constraint customer_has_a_name check (btrim(name) <> '')
);
comment on column shop.customer.phone is 'As the customer wrote it on the form';
comment on column shop.customer.address is 'Keys: street, postcode, town, country (ISO 3166-1, two letters)';

create unique index customer_email_key on shop.customer (lower(email)) where email is not null;

-- Named by the till's maker, who liked short names. Quote it.
create table shop."order" (
    id          integer generated always as identity primary key,
    customer_id integer not null references shop.customer (id),
    status      shop.order_status not null default 'open',
    placed_on   date not null default current_date,
    deposit     shop.amount not null default 0,
    taken_by    integer references staff.person (id)
);
comment on table shop."order" is 'What a customer asked us to get from a supplier';
create index order_customer_id_idx on shop."order" (customer_id);
create index order_waiting_idx on shop."order" (placed_on) where status in ('open', 'ordered');

create table shop.order_line (
    order_id         integer not null references shop."order" (id) on delete cascade,
    line_no          smallint not null,
    product_id       integer not null references shop.product (id),
    quantity         integer not null,
    unit_price       shop.amount not null,
    discount_percent numeric(4, 1) not null default 0,

    primary key (order_id, line_no),
    constraint order_line_quantity_is_positive check (quantity > 0),
    constraint order_line_discount_is_a_percentage check (discount_percent between 0 and 100)
);
create index order_line_product_id_idx on shop.order_line (product_id);

-- bigserial, not an identity: before PostgreSQL 17 partitions do not share their parent's identity.
create table shop.sale (
    id          bigserial,
    sold_on     date not null,
    receipt_no  bigint not null,
    product_id  integer not null,
    customer_id integer,
    sold_by     integer not null,
    quantity    integer not null,
    unit_price  shop.amount not null,
    payment     shop.payment not null,

    primary key (sold_on, id),
    constraint sale_quantity_is_positive check (quantity > 0)
) partition by range (sold_on);
comment on table shop.sale is 'One line of a till receipt; one partition a month, see shop.ensure_sale_partition';
comment on column shop.sale.customer_id is 'Empty when nobody asked';

create table shop.sale_return (
    id          integer generated always as identity primary key,
    sold_on     date not null,
    sale_id     bigint not null,
    quantity    integer not null,
    returned_on date not null default current_date,
    reason      text,

    constraint sale_return_sale_fkey foreign key (sold_on, sale_id) references shop.sale (sold_on, id),
    constraint sale_return_quantity_is_positive check (quantity > 0),
    constraint sale_return_is_after_the_sale check (returned_on >= sold_on)
);
create index sale_return_sale_idx on shop.sale_return (sold_on, sale_id);


-- Workshop ------------------------------------------------------------------------------------

create table workshop.bike (
    id           integer generated always as identity primary key,
    owner_id     integer not null references shop.customer (id),
    kind         workshop.bike_kind not null,
    brand        text not null,
    model        text,
    frame_number text,
    wheel_size   numeric(3, 1),
    battery      jsonb,

    constraint bike_battery_belongs_to_e_bike check (battery is null or kind in ('e-bike', 'cargo'))
);
comment on column workshop.bike.wheel_size is
    'Nominal diameter in inches, such as 28 for 28". The rider''s own sticker, often """28""", is not to be trusted.';
create index bike_owner_id_idx on workshop.bike (owner_id);
create unique index bike_frame_number_key on workshop.bike (upper(frame_number)) where frame_number is not null;

create table workshop.service (
    id          integer generated always as identity primary key,
    code        text not null unique,
    name        text not null,
    minutes     integer not null,
    price       shop.amount not null,
    needs_stand boolean not null default true,

    constraint service_takes_time check (minutes > 0)
);

create table workshop.repair (
    id          integer generated always as identity primary key,
    bike_id     integer not null references workshop.bike (id),
    mechanic_id integer references staff.person (id),
    status      workshop.repair_status not null default 'booked',
    received_on date not null default current_date,
    promised_on date,
    closed_on   date,
    complaint   text,
    checklist   jsonb not null default '{}',
    updated_at  timestamptz not null default now(),

    constraint repair_is_promised_after_receipt check (promised_on >= received_on),
    constraint repair_is_closed_after_receipt check (closed_on >= received_on),
    constraint repair_closed_on_follows_status check (
        (closed_on is not null) = (status in ('done', 'collected', 'cancelled'))
    )
);
comment on column workshop.repair.complaint is 'In the customer''s own words';
create index repair_bike_id_idx on workshop.repair (bike_id);
create index repair_open_idx on workshop.repair (promised_on) where closed_on is null;

create table workshop.repair_task (
    repair_id       integer not null references workshop.repair (id) on delete cascade,
    position        smallint not null,
    service_id      integer not null references workshop.service (id),
    mechanic_id     integer references staff.person (id),
    minutes_planned integer not null,
    minutes_spent   integer,
    price           shop.amount not null,
    cancelled       boolean not null default false,

    primary key (repair_id, position),
    constraint repair_task_minutes_are_not_negative check (minutes_planned >= 0 and minutes_spent >= 0)
);
comment on column workshop.repair_task.cancelled is 'Agreed with the customer not to do it after all';

create table workshop.repair_part (
    repair_id  integer not null,
    position   smallint not null,
    product_id integer not null references shop.product (id),
    quantity   integer not null default 1,
    unit_price shop.amount not null,

    primary key (repair_id, position, product_id),
    constraint repair_part_task_fkey foreign key (repair_id, position)
        references workshop.repair_task (repair_id, position) on update cascade on delete cascade,
    constraint repair_part_quantity_is_positive check (quantity > 0)
);

create table workshop.stand (
    id          integer generated always as identity primary key,
    site        text not null,
    name        text not null,
    max_load_kg integer not null default 30,

    unique (site, name),
    constraint stand_site_is_ours check (site in ('Centre', 'Harbour', 'Station'))
);
comment on table workshop.stand is 'A repair stand that holds one bicycle at a time';

create table workshop.stand_booking (
    id           integer generated always as identity primary key,
    stand_id     integer not null references workshop.stand (id),
    repair_id    integer not null references workshop.repair (id) on delete cascade,
    during       tstzrange not null,
    cancelled_at timestamptz,

    constraint stand_booking_has_two_ends check (
        not isempty(during) and not lower_inf(during) and not upper_inf(during)
    ),
    constraint stand_booking_is_alone exclude using gist (stand_id with =, during with &&)
        where (cancelled_at is null)
);
comment on constraint stand_booking_is_alone on workshop.stand_booking is
    'Half-open ranges: a booking may begin at the moment another one ends';
create index stand_booking_repair_id_idx on workshop.stand_booking (repair_id);


-- Functions -----------------------------------------------------------------------------------

create function shop.ensure_sale_partition(month date) returns regclass
    language plpgsql
    set search_path = pg_catalog
as $function$
declare
    first_day      constant date := date_trunc('month', month::timestamp)::date;
    next_month     constant date := (first_day + interval '1 month')::date;
    partition_name constant text := 'sale_' || to_char(first_day, 'YYYY_MM');
begin
    if to_regclass(format('shop.%I', partition_name)) is null then
        execute format(
            'create table shop.%I partition of shop.sale for values from (%L) to (%L)',
            partition_name, first_day, next_month
        );
    end if;
    return format('shop.%I', partition_name)::regclass;
end
$function$;
comment on function shop.ensure_sale_partition(date) is
    'Creates the partition for the month of the given day unless it is there, and returns it';
-- Makes tables, so not for everybody who may sell.
revoke execute on function shop.ensure_sale_partition(date) from public;

create function shop.apply_stock_movement() returns trigger
    language plpgsql
as $$
begin
    update shop.stock
       set on_hand = on_hand + new.quantity
     where product_id = new.product_id;
    return null;
end
$$;

create function shop.refuse_change() returns trigger
    language plpgsql
as $$
begin
    raise exception '%.% is a journal: write a movement the other way instead', tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

create function shop.take_sold_stock() returns trigger
    language plpgsql
as $$
begin
    -- One movement a product, in the order of the products, so that two tills cannot deadlock.
    insert into shop.stock_movement (product_id, quantity, reason)
    select product_id, -sum(quantity), 'sale'
      from sold
     group by product_id
     order by product_id;
    return null;
end
$$;

create function shop.check_return() returns trigger
    language plpgsql
as $$
declare
    sold     integer;
    returned integer;
begin
    -- The lock makes two returns of one sale wait for each other.
    select quantity into sold
      from shop.sale
     where sold_on = new.sold_on and id = new.sale_id
       for no key update;

    select coalesce(sum(quantity), 0) into returned
      from shop.sale_return
     where sold_on = new.sold_on and sale_id = new.sale_id and id <> new.id;

    if returned + new.quantity > sold then
        raise exception 'sale % of %: % returned, but only % sold',
            new.sale_id, new.sold_on, returned + new.quantity, sold
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create procedure shop.take_delivery(product_id integer, quantity integer, note text default null)
    language sql
begin atomic
    insert into shop.stock_movement (product_id, quantity, reason, note)
    values (take_delivery.product_id, take_delivery.quantity, 'delivery', take_delivery.note);
end;

create function shop.order_total(order_id integer) returns numeric
    language sql stable
begin atomic
    select coalesce(sum(round(l.quantity * l.unit_price * (100 - l.discount_percent) / 100, 2)), 0)
      from shop.order_line as l
     where l.order_id = order_total.order_id;
end;

create function workshop.estimate_repair(repair_id integer) returns workshop.estimate
    language sql stable
as $$
    select (
        (select coalesce(sum(t.minutes_planned), 0)
           from workshop.repair_task as t
          where t.repair_id = estimate_repair.repair_id),
        (select coalesce(sum(t.price), 0)
           from workshop.repair_task as t
          where t.repair_id = estimate_repair.repair_id),
        (select coalesce(sum(p.quantity * p.unit_price), 0)
           from workshop.repair_part as p
          where p.repair_id = estimate_repair.repair_id)
    )::workshop.estimate;
$$;

create function workshop.repair_total(repair_id integer) returns numeric
    language sql stable
begin atomic
    select e.labour + e.parts
      from workshop.estimate_repair(repair_id) as e;
end;
comment on function workshop.repair_total(integer) is 'What the customer is asked to pay';

create function workshop.repair_label(repair_id integer) returns text
    language sql stable
as $$
    select format('R%s | %s | %s %s', r.id, c.name, b.brand, coalesce(b.model, '(no model)'))
      from workshop.repair as r
      join workshop.bike as b on b.id = r.bike_id
      join shop.customer as c on c.id = b.owner_id
     where r.id = repair_label.repair_id;
$$;
comment on function workshop.repair_label(integer) is 'The text on the paper tag that hangs on the handlebar';

create function workshop.advance_repair(repair_id integer, new_status workshop.repair_status)
    returns workshop.repair
    language plpgsql
as $body$
declare
    found_repair workshop.repair;
begin
    select * into found_repair from workshop.repair where id = repair_id for update;
    if not found then
        raise exception using
            errcode = 'no_data_found',
            message = format($$there is no repair %s$$, repair_id);
    end if;
    if found_repair.closed_on is not null and new_status <> 'collected' then
        raise exception using
            errcode = 'check_violation',
            message = format($$repair %s is %s; it cannot become %s$$, repair_id, found_repair.status, new_status),
            hint = $$Take the bicycle in again; a new repair keeps the old one's bill.$$;
    end if;

    update workshop.repair
       set status = new_status,
           closed_on = case
               when new_status in ('done', 'collected', 'cancelled')
               then coalesce(closed_on, greatest(current_date, received_on))
           end
     where id = repair_id
    returning * into found_repair;
    return found_repair;
end
$body$;

create function workshop.touch() returns trigger
    language plpgsql
as $$
begin
    new.updated_at := now();
    return new;
end
$$;


-- Views ---------------------------------------------------------------------------------------

create view shop.customer_card as
select id, name, email, phone, address ->> 'town' as town
  from shop.customer;
comment on view shop.customer_card is 'What the till reads and writes; its columns are the till''s, not ours to rename';

create view shop.category_path as
with recursive tree (id, path) as (
    select id, array[name]
      from shop.category
     where parent_id is null
    union all
    select child.id, tree.path || child.name
      from shop.category as child
      join tree on tree.id = child.parent_id
)
select id, path, array_to_string(path, ' > ') as label
  from tree;

create view shop.stock_to_order as
select p.id as product_id, p.sku, p.name, s.on_hand, s.reorder_level,
       2 * s.reorder_level - s.on_hand as suggested,
       supplier.name as supplier_name, supplier.lead_days
  from shop.stock as s
  join shop.product as p on p.id = s.product_id
  join shop.supplier on supplier.id = p.supplier_id
 where s.on_hand < s.reorder_level
   and p.discontinued_on is null;
comment on view shop.stock_to_order is 'Products below their reorder level, with what brings them to twice that level';

create view workshop.open_repair as
select r.id, r.status, r.received_on, r.promised_on,
       c.name as customer_name, c.phone as customer_phone,
       b.kind, b.brand, b.model,
       m.full_name as mechanic_name,
       workshop.repair_total(r.id) as total
  from workshop.repair as r
  join workshop.bike as b on b.id = r.bike_id
  join shop.customer as c on c.id = b.owner_id
  left join staff.person as m on m.id = r.mechanic_id
 where r.closed_on is null;

create view staff.workload as
select p.id as person_id, p.full_name,
       count(*) filter (where r.closed_on is null) as open_tasks,
       coalesce(sum(t.minutes_planned) filter (where r.closed_on is null), 0) as minutes_ahead,
       coalesce(sum(t.minutes_spent), 0) as minutes_spent
  from staff.person as p
  join workshop.repair_task as t on t.mechanic_id = p.id and not t.cancelled
  join workshop.repair as r on r.id = t.repair_id
 group by p.id, p.full_name;


-- Rows ----------------------------------------------------------------------------------------

-- Hash arithmetic instead of random(): the extended hash functions give the same values in every
-- version, because hash partitioning depends on them.
create function pg_temp.pick(n bigint, salt integer, below integer) returns integer
    language sql immutable
return ((hashint8extended(n, salt) & 9223372036854775807) % below)::integer;

create function pg_temp.pick_text(n bigint, salt integer, choices text[]) returns text
    language sql immutable
return choices[1 + pg_temp.pick(n, salt, cardinality(choices))];

create function pg_temp.first_name(n bigint) returns text
    language sql immutable
return pg_temp.pick_text(n, 1, '{
    Anna,Bram,Camille,Daan,Elif,Finn,Gaëlle,Hugo,Inès,Jef,Katrien,Lars,Maëlle,Noor,Otto,Paulina,Quinten,Renée,
    Søren,Tess,Ugo,Vera,Wout,Xenia,Yusuf,Zoë,Amélie,Björn,Chloé,Dries,Eefje,François,Greta,Hélène,Ilse,Jürgen
}');

create function pg_temp.last_name(n bigint) returns text
    language sql immutable
return pg_temp.pick_text(n, 2, '{
    Aerts,Bauer,Claes,Dubois,Evrard,Fontaine,Goossens,Hermans,Ivanova,Janssens,Kaya,Lambert,Maes,Nguyen,
    Øster,Peeters,Quintens,Rousseau,Sørensen,Thijs,Ünal,"Van den Broeck",Wouters,Yıldız,Zieliński,
    "D''Hondt",Lefèvre,Müller,Martínez,Smets,"De Smet",Willems,Mertens,Dumont,Çelik
}');

insert into staff.person (full_name, role, mentor_id, hired_on, left_on, weekly_hours, languages)
select pg_temp.first_name(n * 7) || ' ' || pg_temp.last_name(n * 11),
       case
           when n = 1 then 'owner'
           when n <= 4 then 'manager'
           when n <= 14 then 'mechanic'
           when n <= 18 then 'apprentice'
           else 'sales'
       end::staff.role,
       case
           when n = 1 then null
           when n <= 4 then 1
           when n between 15 and 18 then n - 10
           else 2 + n % 3
       end,
       date '2012-03-01' + n * 190,
       case when n in (9, 21) then date '2025-12-31' end,
       case when n between 15 and 18 then 20 else 38 end,
       case n % 4 when 0 then '{nl,fr}' when 1 then '{nl,en}' when 2 then '{fr,nl,en}' else '{nl}' end::text[]
  from generate_series(1, 24) as n
 order by n;

insert into shop.supplier (name, "VATNumber", contact, lead_days)
select name,
       case when n % 6 <> 0 then 'BE0' || lpad((pg_temp.pick(n, 3, 900000000) + 100000000)::text, 9, '0') end,
       jsonb_build_object('email', format('orders@supplier-%s.example', n), 'portal', n % 3 = 0),
       3 + pg_temp.pick(n, 4, 25)
  from unnest('{
           Noordzee Velo,Ardennes Cycles,Möwe Fahrradteile,Étoile Composants,Delta Banden,Hansa Components,
           Brugge Lederwaren,Łódź Koła,Alpenrad,Rhône Roulements,Polder Lights,Fjord Tools
       }'::text[]) with ordinality as s (name, n)
 order by n;

insert into shop.category (parent_id, name)
values
    (null, 'Bicycles'),
    (null, 'Drivetrain'),
    (null, 'Wheels'),
    (null, 'Brakes'),
    (null, 'Comfort'),
    (null, 'Road safety');

insert into shop.category (parent_id, name)
select 1 + (n - 1) / 4, name
  from unnest('{
           City bicycles,Touring bicycles,Cargo bicycles,Children''s bicycles,
           Chains,Cassettes,Cranks,Derailleurs,
           Tyres,Tubes,Rims,Hubs,
           Brake pads,Brake cables,Brake levers,Disc rotors,
           Saddles,Grips,Panniers,Mudguards,
           Lights,Locks,Bells,Helmets
       }'::text[]) with ordinality as s (name, n)
 order by n;

insert into shop.product (
    sku, name, category_id, supplier_id, cost, price, colour, tags, attributes, discontinued_on, updated_at
)
select pg_temp.pick_text(n, 5, '{NV,AC,MF,EC,DB,HC}') || '-' || lpad((10000 + n)::text, 5, '0'),
       format(
           '%s %s %s',
           pg_temp.pick_text(n, 6, '{Möwe,Étoile,Łódź,Polder,Çelik,Fjord,Ängel,Delta,Hansa,Grün & Söhne}'),
           ('{
               city bicycle,touring bicycle,cargo bicycle,child''s bicycle,chain,cassette,crank,derailleur,
               tyre,tube,rim,hub,brake pad,brake cable,brake lever,disc rotor,
               saddle,grip,pannier,mudguard,light,lock,bell,helmet
           }'::text[])[leaf],
           -- Few model names, so that some products share theirs, as in life.
           pg_temp.pick_text(n, 7, '{Tour 1,Tour 2,Sprint,Sprint+,Klassik,"Nº 5",Ultra,Été}')
       ),
       6 + leaf,
       1 + pg_temp.pick(n, 8, 12),
       cost,
       greatest(round(cost * (1.35 + pg_temp.pick(n, 9, 60) / 100.0)) - 0.05, 0.95),
       pg_temp.pick_text(n, 10, '{black,silver,red,green,blue,NULL}'),
       case when n % 5 = 0 then '{bestseller}' when n % 7 = 0 then '{summer,sport}' else '{}' end::text[],
       jsonb_build_object(
           'weight_g', 40 + pg_temp.pick(n, 11, 900) * case when leaf <= 4 then 20 else 1 end,
           'warranty_months', 12 + 12 * pg_temp.pick(n, 12, 3)
       ),
       case when n % 31 = 0 then date '2025-01-31' + n % 300 end,
       timestamptz '2025-01-01 09:00+00' + n * interval '7 hours'
  from generate_series(1, 1200) as n
 cross join lateral (select 1 + (n - 1) % 24 as leaf) as category
 cross join lateral (
     select round((2 + pg_temp.pick(n, 13, 4000) / 100.0) * case when leaf <= 4 then 24 else 1 end, 2) as cost
 ) as calculated
 order by n;

insert into shop.customer (name, email, phone, address, newsletter, customer_on)
select first || ' ' || last,
       case
           when n % 11 = 0 then null
           -- Left over from the old till, which wanted something in the field.
           when n % 397 = 0 then ' customer.' || n || '@mail.example'
           when n % 401 = 0 then 'customer.' || n || '@@mail.example'
           when n % 409 = 0 then 'none-' || n
           else 'customer.' || n || '@mail.example'
       end,
       case pg_temp.pick(n, 14, 12)
           when 0 then null
           when 1 then '04' || digits
           when 2 then regexp_replace('04' || digits, '(....)(..)(..)(..)', '\1/\2.\3.\4')
           when 3 then '00' || prefix || '4' || digits
           when 4 then regexp_replace('+' || prefix || ' (0)4' || digits, '(......)$', ' \1')
           when 5 then regexp_replace('tel. 04' || digits, '(....)$', '-\1')
           when 6 then '+' || prefix || '4' || digits || ' (work)'
           when 7 then case when n % 25 = 0 then 'see e-mail' else '04' || digits end
           else regexp_replace('+' || prefix || ' 4' || digits, '(...)(...)$', ' \1 \2')
       end,
       jsonb_build_object(
           'street', pg_temp.pick_text(n, 15, '{Kerkstraat,Rue Haute,Kade,Lindenlaan,Dorp}') || ' ' || (1 + n % 180),
           'postcode', (1000 + pg_temp.pick(n, 16, 8990))::text,
           'town', case country
               when 'BE' then pg_temp.pick_text(n, 17, '{Gent,Antwerpen,Liège,Namur}')
               when 'NL' then 'Breda'
               when 'FR' then 'Lille'
               else 'Köln'
           end,
           'country', country
       ),
       n % 3 = 0,
       date '2015-01-01' + n / 3
  from generate_series(1, 12000) as n
 cross join lateral (
     select pg_temp.first_name(n) as first,
            pg_temp.last_name(n) as last,
            lpad(pg_temp.pick(n, 18, 100000000)::text, 8, '0') as digits,
            pg_temp.pick_text(n, 19, '{BE,BE,BE,BE,BE,NL,FR,DE}') as country
 ) as drawn
 cross join lateral (
     select case country when 'BE' then '32' when 'NL' then '31' when 'FR' then '33' else '49' end as prefix
 ) as dialling
 order by n;

-- Added after the fact and not valid: it holds new rows to the rule and leaves the old ones alone.
alter table shop.customer
    add constraint customer_email_looks_right check (email ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$') not valid;

insert into shop.stock (product_id, reorder_level, shelf)
select id, pg_temp.pick(id, 20, 12), format('%s%s', chr(65 + id % 8), 1 + id % 40)
  from shop.product
 order by id;

create trigger stock_movement_is_applied
    after insert on shop.stock_movement
    for each row execute function shop.apply_stock_movement();

insert into shop.stock_movement (product_id, quantity, reason, note, happened_at)
select product_id, 4 + pg_temp.pick(product_id, 21, 40), 'count', 'stocktaking 2025', timestamptz '2025-12-31 18:00+00'
  from shop.stock
 order by product_id;

insert into shop."order" (customer_id, status, placed_on, deposit, taken_by)
select 1 + pg_temp.pick(n, 22, 12000),
       case
           when n % 29 = 0 then 'cancelled'
           when n <= 5600 then 'collected'
           else pg_temp.pick_text(n, 23, '{open,ordered,ready}')
       end::shop.order_status,
       date '2025-01-02' + (n * 363 / 6000),
       10 * pg_temp.pick(n, 24, 5),
       19 + pg_temp.pick(n, 25, 6)
  from generate_series(1, 6000) as n
 order by n;

insert into shop.order_line (order_id, line_no, product_id, quantity, unit_price, discount_percent)
select o.id, line_no, p.id, 1 + pg_temp.pick(o.id, 26 + line_no, 3), p.price,
       case when pg_temp.pick(o.id, 32, 10) = 0 then 5 else 0 end
  from shop."order" as o
 cross join lateral generate_series(1, 1 + pg_temp.pick(o.id, 26, 4)) as line_no
  join shop.product as p on p.id = 1 + pg_temp.pick(o.id * 8 + line_no, 33, 1200)
 order by o.id, line_no;

do $$
begin
    perform shop.ensure_sale_partition((date '2025-01-01' + n * interval '1 month')::date)
       from generate_series(0, 11) as n;
end
$$;

-- Three lines a receipt; what is sold on a Sunday by this arithmetic was sold the day before.
insert into shop.sale (sold_on, receipt_no, product_id, customer_id, sold_by, quantity, unit_price, payment)
select day - case when extract(isodow from day) = 7 then 1 else 0 end,
       receipt_no,
       p.id,
       case when pg_temp.pick(receipt_no, 34, 10) < 6 then 1 + pg_temp.pick(receipt_no, 35, 12000) end,
       19 + pg_temp.pick(receipt_no, 36, 6),
       1 + pg_temp.pick(n, 37, 10) / 8,
       p.price,
       pg_temp.pick_text(receipt_no, 38, '{card,card,card,card,cash,cash,voucher,invoice}')::shop.payment
  from generate_series(1, 120000) as n
 cross join lateral (
     select date '2025-01-02' + (n::bigint * 363 / 120000)::integer as day,
            10001 + (n - 1) / 3 as receipt_no,
            -- Of each 24 products the first four are bicycles, and few go home with a new bicycle.
            case when pg_temp.pick(n, 70, 40) = 0 then 1 + pg_temp.pick(n, 71, 4) else 5 + pg_temp.pick(n, 72, 20) end
                as product_no
 ) as receipt
  join shop.product as p
    on p.id = 24 * pg_temp.pick(n, 39, 50) + product_no
 order by n;

insert into shop.sale_return (sold_on, sale_id, quantity, returned_on, reason)
select sold_on, id, 1, sold_on + 1 + pg_temp.pick(id, 40, 14),
       pg_temp.pick_text(id, 41, '{does not fit,broken,changed my mind,NULL}')
  from shop.sale
 where pg_temp.pick(id, 42, 150) = 0
 order by id;

insert into workshop.service (code, name, minutes, price, needs_stand)
values
    ('CHECK', 'Check and advice', 15, 12.00, true),
    ('FLAT', 'Mend a puncture', 20, 16.50, true),
    ('CHAIN', 'Replace the chain', 25, 22.00, true),
    ('BRAKE', 'Adjust or replace brakes', 30, 27.50, true),
    ('GEARS', 'Adjust the gears', 30, 27.50, true),
    ('WHEEL', 'True a wheel', 45, 38.00, true),
    ('LIGHT', 'Repair the lights', 30, 25.00, false),
    ('SMALL', 'Small service', 60, 55.00, true),
    ('LARGE', 'Large service', 150, 129.00, true),
    ('MOTOR', 'Motor diagnosis and update', 40, 49.00, false);

insert into workshop.bike (owner_id, kind, brand, model, frame_number, wheel_size, battery)
select 1 + pg_temp.pick(n, 43, 12000),
       kind,
       pg_temp.pick_text(n, 44, '{Möwe,Étoile,Polder,Hansa,Fjord,Ängel,Delta}'),
       case when n % 6 <> 0 then pg_temp.pick_text(n, 45, '{Tour,Sprint,Klassik,Ultra,Cabrio}') end,
       case when n % 4 <> 0 then 'WF' || lpad(n::text, 7, '0') end,
       case when kind = 'child' then 20 when kind = 'road' then 28 else 26 + pg_temp.pick(n, 46, 3) end,
       case
           when kind = 'e-bike'
           then jsonb_build_object('wh', 400 + 100 * pg_temp.pick(n, 47, 4), 'cycles', n % 700)
       end
  from generate_series(1, 14000) as n
 cross join lateral (
     select pg_temp.pick_text(n, 48, '{city,city,city,touring,road,mountain,cargo,e-bike,e-bike,child}')
            ::workshop.bike_kind as kind
 ) as drawn
 order by n;

insert into workshop.repair (
    bike_id, mechanic_id, status, received_on, promised_on, closed_on, complaint, checklist, updated_at
)
select 1 + pg_temp.pick(n, 49, 14000),
       case when status <> 'booked' then 5 + pg_temp.pick(n, 50, 10) end,
       status,
       received_on,
       received_on + 2 + n % 5,
       case when status in ('done', 'collected', 'cancelled') then received_on + 1 + pg_temp.pick(n, 51, 4) end,
       pg_temp.pick_text(n, 52, '{
           it squeaks,"it doesn''t brake",flat tyre again,"gears jump; chain too",yearly service,NULL
       }'),
       jsonb_build_object(
           'brakes', pg_temp.pick_text(n, 53, '{ok,worn,replaced}'),
           'chain_wear_percent', pg_temp.pick(n, 54, 100),
           'tyres', jsonb_build_array(3 + pg_temp.pick(n, 55, 3), 3 + pg_temp.pick(n, 56, 3))
       ),
       received_on + time '16:30' at time zone 'UTC'
  from generate_series(1, 9000) as n
 cross join lateral (
     select date '2025-01-02' + (n * 360 / 9000) as received_on,
            case
                when n % 41 = 0 then 'cancelled'
                when n <= 8600 then 'collected'
                else pg_temp.pick_text(n, 57, '{booked,in_progress,in_progress,waiting_for_parts,done}')
            end::workshop.repair_status as status
 ) as drawn
 order by n;

insert into workshop.repair_task (
    repair_id, position, service_id, mechanic_id, minutes_planned, minutes_spent, price, cancelled
)
select r.id, position, s.id, r.mechanic_id, s.minutes,
       case
           when r.closed_on is not null and not dropped
           then greatest(5, s.minutes - 10 + pg_temp.pick(r.id, 58 + position, 25))
       end,
       s.price,
       dropped
  from workshop.repair as r
 cross join lateral generate_series(1, 1 + pg_temp.pick(r.id, 58, 4)) as position
 cross join lateral (select position > 1 and pg_temp.pick(r.id * 8 + position, 64, 15) = 0 as dropped) as drawn
  join workshop.service as s on s.id = 1 + pg_temp.pick(r.id * 8 + position, 65, 10)
 order by r.id, position;

-- Parts of the drivetrain, the wheels and the brakes: categories 11 to 22, so 12 of each 24 products.
insert into workshop.repair_part (repair_id, position, product_id, quantity, unit_price)
select t.repair_id, t.position, p.id, 1 + pg_temp.pick(t.repair_id, 66, 2), p.price
  from workshop.repair_task as t
  join shop.product as p
    on p.id = 24 * pg_temp.pick(t.repair_id * 8 + t.position, 67, 50)
              + 5 + pg_temp.pick(t.repair_id * 8 + t.position, 68, 12)
 where not t.cancelled
   and pg_temp.pick(t.repair_id * 8 + t.position, 69, 2) = 0
 order by t.repair_id, t.position;

insert into workshop.stand (site, name, max_load_kg)
select site, 'Stand ' || n, case when n = 4 then 80 else 30 end
  from unnest('{Centre,Harbour,Station}'::text[]) with ordinality as s (site, site_no)
 cross join generate_series(1, 4) as n
 order by site_no, n;

-- Each stand takes two bicycles a day, one in the morning and one in the afternoon.
insert into workshop.stand_booking (stand_id, repair_id, during, cancelled_at)
select 1 + slot % 12,
       repair_id,
       tstzrange(starts_at, starts_at + interval '4 hours'),
       case when status = 'cancelled' then starts_at - interval '1 day' end
  from (
           select id as repair_id, status, received_on,
                  (row_number() over (order by id) - 1)::integer as slot
             from workshop.repair
            where id % 3 <> 0
       ) as wanted
 cross join lateral (
     select (
                date '2025-01-02' + (slot / 12) * 360 / 500
                + case when (slot / 12) % 2 = 0 then time '08:00' else time '13:00' end
            ) at time zone 'UTC' as starts_at
 ) as planned
 order by repair_id;


-- What is cheaper, or only right, once the rows are there ----------------------------------------

alter table shop.sale
    add constraint sale_product_fkey foreign key (product_id) references shop.product (id),
    add constraint sale_customer_fkey foreign key (customer_id) references shop.customer (id),
    add constraint sale_sold_by_fkey foreign key (sold_by) references staff.person (id);

create index sale_product_id_idx on shop.sale (product_id);
create index sale_customer_id_idx on shop.sale (customer_id) where customer_id is not null;

-- The sales above are older than the last stocktaking, so they do not take anything from the shelves.
-- Statement triggers fire for the table that is named: a till must insert into shop.sale, not into a partition.
create trigger sale_takes_stock
    after insert on shop.sale
    referencing new table as sold
    for each statement execute function shop.take_sold_stock();

create trigger stock_movement_is_a_journal
    before update or delete on shop.stock_movement
    for each row execute function shop.refuse_change();
comment on trigger stock_movement_is_a_journal on shop.stock_movement is
    'Without it a changed movement would leave shop.stock.on_hand wrong';

create trigger sale_return_fits_the_sale
    before insert or update on shop.sale_return
    for each row execute function shop.check_return();

create trigger product_touched
    before update on shop.product
    for each row execute function workshop.touch();

create trigger repair_touched
    before update on workshop.repair
    for each row when (old.* is distinct from new.*) execute function workshop.touch();

create materialized view shop.revenue_by_month as
select date_trunc('month', s.sold_on::timestamp)::date as month,
       p.category_id,
       count(distinct s.receipt_no) as receipts,
       sum(s.quantity) as pieces,
       sum(s.quantity * s.unit_price) as revenue
  from shop.sale as s
  join shop.product as p on p.id = s.product_id
 group by 1, 2;
comment on materialized view shop.revenue_by_month is 'For the owner''s Monday morning; as fresh as its last refresh';
create unique index revenue_by_month_key on shop.revenue_by_month (month, category_id);

-- By name: a bare "analyze" would complain of each catalog that only a superuser may analyse.
analyze shop.product, shop.stock, shop.customer, shop."order", shop.order_line, shop.sale, shop.sale_return,
    shop.revenue_by_month, workshop.bike, workshop.repair, workshop.repair_task, workshop.repair_part,
    workshop.stand_booking;
