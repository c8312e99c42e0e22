-- The next file rewrites phone numbers. What the customer wrote stays for as long as the till shows it.
alter table shop.customer add column phone_as_written text;
comment on column shop.customer.phone_as_written is 'Deprecated: what phone held before it became international';

update shop.customer
   set phone_as_written = phone
 where phone is not null;

create table shop.phone_to_check (
    customer_id integer primary key references shop.customer (id) on delete cascade,
    phone       text not null,
    noted_on    date not null default current_date
);
comment on table shop.phone_to_check is 'Numbers nobody could read; the till asks when the customer is next in';
