-- One number a task could not tell who worked when, so the minutes move to a log of their own.
create table workshop.work_log (
    id        bigint generated always as identity primary key,
    repair_id integer not null,
    position  smallint not null,
    person_id integer not null references staff.person (id),
    worked_on date not null default current_date,
    minutes   integer not null,

    constraint work_log_task_fkey foreign key (repair_id, position)
        references workshop.repair_task (repair_id, position) on update cascade on delete cascade,
    constraint work_log_minutes_are_positive check (minutes > 0)
);
comment on column workshop.work_log.worked_on is 'For work from before the log: the day the repair was closed';

insert into workshop.work_log (repair_id, position, person_id, worked_on, minutes)
select t.repair_id, t.position, t.mechanic_id, r.closed_on, t.minutes_spent
  from workshop.repair_task as t
  join workshop.repair as r on r.id = t.repair_id
 where t.minutes_spent > 0
   and t.mechanic_id is not null
   and r.closed_on is not null
 order by t.repair_id, t.position;

create index work_log_task_idx on workshop.work_log (repair_id, position);
create index work_log_person_id_idx on workshop.work_log (person_id, worked_on);

-- Both sums are made before the join: a task with two entries in the log is still planned once.
create or replace view staff.workload as
select p.id as person_id, p.full_name,
       coalesce(planned.open_tasks, 0) as open_tasks,
       coalesce(planned.minutes_ahead, 0) as minutes_ahead,
       coalesce(logged.minutes_spent, 0) as minutes_spent
  from staff.person as p
  left join (
           select t.mechanic_id, count(*) as open_tasks, sum(t.minutes_planned) as minutes_ahead
             from workshop.repair_task as t
             join workshop.repair as r on r.id = t.repair_id
            where r.closed_on is null
              and not t.cancelled
            group by t.mechanic_id
       ) as planned on planned.mechanic_id = p.id
  left join (
           select person_id, sum(minutes) as minutes_spent
             from workshop.work_log
            group by person_id
       ) as logged on logged.person_id = p.id
 where planned.mechanic_id is not null
    or logged.person_id is not null;

-- The constraint names both columns and would go with the one that is dropped, so it is made anew first.
alter table workshop.repair_task
    add constraint repair_task_minutes_planned_are_not_negative check (minutes_planned >= 0),
    drop constraint repair_task_minutes_are_not_negative;
alter table workshop.repair_task drop column minutes_spent;
