-- Everything the project needs in a Snowflake account. Run it as a user with ACCOUNTADMIN; running
-- it again changes nothing and mends grants that went missing. docs/snowflake.md says how.
--
-- Roles, each with the least it needs:
--   colleges_loader       writes raw
--   colleges_transformer  reads raw, writes everything dbt builds
--   colleges_reader       reads marts
-- Users are services: they sign in by key pair, and cannot by password.

use role accountadmin;

-- warehouse ---------------------------------------------------------------------------------------

-- Sixty seconds is what a start costs at least, so a shorter pause would save nothing. A statement
-- that takes half an hour here is one that hangs.
create warehouse if not exists colleges
    warehouse_size = xsmall
    initially_suspended = true
    comment = 'paris-colleges: loads, dbt and whoever reads the marts';
alter warehouse colleges set
    auto_suspend = 60
    auto_resume = true
    statement_timeout_in_seconds = 1800
    statement_queued_timeout_in_seconds = 600;

-- A daily run that changes something takes minutes: five credits are a month of them, twice.
create resource monitor if not exists colleges with
    credit_quota = 5
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 80 percent do notify
        on 100 percent do suspend
        on 110 percent do suspend_immediate;
alter warehouse colleges set resource_monitor = colleges;

-- databases and schemas ---------------------------------------------------------------------------

create database if not exists colleges comment = 'paris-colleges';
create schema if not exists colleges.raw comment = 'Versions of records, append-only (hop 2)';
create schema if not exists colleges.staging comment = 'dbt';
create schema if not exists colleges.intermediate comment = 'dbt';
create schema if not exists colleges.snapshots comment = 'dbt; cannot be rebuilt';
create schema if not exists colleges.reference comment = 'dbt seeds: decisions by hand';
create schema if not exists colleges.marts comment = 'dbt; for readers';

-- Empty but while `make snowflake-check` runs.
create database if not exists colleges_check
    data_retention_time_in_days = 0
    comment = 'paris-colleges: make snowflake-check';

-- roles -------------------------------------------------------------------------------------------

create role if not exists colleges_loader comment = 'Writes colleges.raw';
create role if not exists colleges_transformer comment = 'Runs dbt';
create role if not exists colleges_reader comment = 'Reads colleges.marts';
-- Administrators can then look after what these roles own.
grant role colleges_loader to role sysadmin;
grant role colleges_transformer to role sysadmin;
grant role colleges_reader to role sysadmin;

grant usage on warehouse colleges to role colleges_loader;
grant usage on warehouse colleges to role colleges_transformer;
grant usage on warehouse colleges to role colleges_reader;

grant usage on database colleges to role colleges_loader;
grant usage on database colleges to role colleges_reader;
-- dbt makes the schemas of pull requests and developers (pr_12_marts).
grant usage, create schema on database colleges to role colleges_transformer;
grant usage, create schema on database colleges_check to role colleges_transformer;

grant ownership on schema colleges.raw to role colleges_loader copy current grants;
grant ownership on schema colleges.staging to role colleges_transformer copy current grants;
grant ownership on schema colleges.intermediate to role colleges_transformer copy current grants;
grant ownership on schema colleges.snapshots to role colleges_transformer copy current grants;
grant ownership on schema colleges.reference to role colleges_transformer copy current grants;
grant ownership on schema colleges.marts to role colleges_transformer copy current grants;

grant usage on schema colleges.raw to role colleges_transformer;
grant select on all tables in schema colleges.raw to role colleges_transformer;
grant select on future tables in schema colleges.raw to role colleges_transformer;

-- Future grants, because dbt replaces its tables and a replaced table forgets who may read it.
grant usage on schema colleges.marts to role colleges_reader;
grant select on all tables in schema colleges.marts to role colleges_reader;
grant select on all views in schema colleges.marts to role colleges_reader;
grant select on future tables in schema colleges.marts to role colleges_reader;
grant select on future views in schema colleges.marts to role colleges_reader;

-- users -------------------------------------------------------------------------------------------

-- Keys are set by hand, once (docs/snowflake.md): a public key is no secret, and not everyone's.
create user if not exists colleges_pipeline type = service comment = 'colleges run, dbt';
create user if not exists colleges_looker type = service comment = 'Looker Studio';
alter user colleges_pipeline set
    default_role = colleges_transformer
    default_warehouse = colleges
    default_namespace = colleges
    default_secondary_roles = ()
    timezone = 'UTC';
alter user colleges_looker set
    default_role = colleges_reader
    default_warehouse = colleges
    default_namespace = colleges.marts
    default_secondary_roles = ()
    timezone = 'UTC';

grant role colleges_loader to user colleges_pipeline;
grant role colleges_transformer to user colleges_pipeline;
grant role colleges_reader to user colleges_looker;
