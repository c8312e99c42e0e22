-- Deprecated since the numbers became international; what could not be read is in shop.phone_to_check.
alter table shop.customer drop column phone_as_written;
