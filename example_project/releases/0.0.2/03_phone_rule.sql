-- Only now, because the rule did not hold a file ago. Written once, a number can be looked up.
alter table shop.customer
    add constraint customer_phone_is_international check (phone ~ '^\+[1-9][0-9]{6,14}$');

create index customer_phone_idx on shop.customer (phone) where phone is not null;

comment on column shop.customer.phone is 'International form without blanks (E.164), such as +32470123456';
