-- The target of a composite foreign key: an appointment is for a bicycle of the customer who makes it.
-- When the bicycle is sold, its appointments go with it.
alter table workshop.bike add constraint bike_id_owner_id_key unique (id, owner_id);

create table workshop.appointment (
    id          integer generated always as identity primary key,
    customer_id integer not null references shop.customer (id),
    bike_id     integer,
    site        text not null,
    during      tstzrange not null,
    wish        text,
    repair_id   integer unique references workshop.repair (id) on delete set null,

    constraint appointment_bike_is_the_customers foreign key (bike_id, customer_id)
        references workshop.bike (id, owner_id) on update cascade,
    constraint appointment_site_is_ours check (site in ('Centre', 'Harbour', 'Station')),
    constraint appointment_takes_up_to_an_hour check (
        not isempty(during) and upper(during) - lower(during) <= interval '1 hour'
    ),
    constraint appointment_is_alone exclude using gist (site with =, during with &&)
);
comment on column workshop.appointment.bike_id is 'Empty for a bicycle we have not seen yet';
comment on column workshop.appointment.repair_id is 'Filled when the bicycle comes in';
