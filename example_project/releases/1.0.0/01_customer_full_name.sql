-- Breaking: whoever reads shop.customer.name reads full_name from now on.
alter table shop.customer rename column name to full_name;

-- Views follow a rename by themselves, functions with a body in quotes do not.
create or replace function workshop.repair_label(repair_id integer) returns text
    language sql stable
as $$
    select format('R%s | %s | %s %s', r.id, c.full_name, b.brand, coalesce(b.model, '(no model)'))
      from workshop.repair as r
      join workshop.bike as b on b.id = r.bike_id
      join shop.customer as c on c.id = b.owner_id
     where r.id = repair_label.repair_id;
$$;

-- The till keeps its column "name". New columns can only be added at the end, and a subquery instead
-- of a join keeps the view one that can be written to.
create or replace view shop.customer_card as
select c.id, c.full_name as name, c.email, c.phone, c.address ->> 'town' as town,
       (select card.tier from shop.loyalty_card as card where card.customer_id = c.id) as loyalty_tier
  from shop.customer as c;
