alter table shop.product
    add column slug text,
    add column in_web_shop boolean not null default false;
comment on column shop.product.slug is 'The product''s address in the web shop; never changed once published';

create table shop.product_photo (
    product_id integer not null references shop.product (id) on delete cascade,
    position   smallint not null,
    file_name  text not null unique,
    alt_text   text not null,

    primary key (product_id, position),
    constraint product_photo_position_is_positive check (position > 0),
    constraint product_photo_is_for_the_web check (file_name ~ '\.(jpe?g|png|webp)$'),
    constraint product_photo_is_described check (btrim(alt_text) <> '')
);
