-- The old till wanted something in the e-mail field, so it got " a@b.example", "a@@b.example" and
-- "none-409". The rule has held for new rows since it was added; now the old ones follow.
update shop.customer
   set email = replace(btrim(email), '@@', '@')
 where email is distinct from replace(btrim(email), '@@', '@');

update shop.customer
   set email = null
 where email !~ '^[^@\s]+@[^@\s]+\.[^@\s]+$';

alter table shop.customer validate constraint customer_email_looks_right;
