create type staff.absence_kind as enum ('holiday', 'illness', 'training');

create table staff.absence (
    id        integer generated always as identity primary key,
    person_id integer not null references staff.person (id) on delete cascade,
    kind      staff.absence_kind not null,
    during    daterange not null,
    days      integer generated always as (upper(during) - lower(during)) stored,

    constraint absence_has_two_ends check (not isempty(during) and not lower_inf(during) and not upper_inf(during)),
    constraint absence_does_not_overlap exclude using gist (person_id with =, during with &&)
);
comment on column staff.absence.days is 'Calendar days; the last one is not in the range';

-- From the paper calendar in the canteen: everybody had a week in the summer of 2025.
insert into staff.absence (person_id, kind, during)
select id, 'holiday', daterange(first_day, first_day + 7)
  from staff.person
 cross join lateral (select date '2025-07-07' + 7 * (id % 6) as first_day) as planned
 order by id;
