-- One JSON object: what the server, the app's roles and the tables are like. Nothing is written.
with client as (
  select distinct usename as role, host(client_addr) as address from pg_stat_activity
  where datname = current_database() and client_addr is not null
  and not (client_addr <<= '127.0.0.0/8' or client_addr <<= '::1')
), own as (
  select c.oid, case n.nspname when 'public' then '' else n.nspname || '.' end || relname as name
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'p') and nspname <> 'information_schema' and nspname not like 'pg\_%'
)
select json_build_object(
  'identity', (select system_identifier::text from pg_control_system()),
  'read_only', current_setting('transaction_read_only') = 'on',
  'recovery', pg_is_in_recovery(),
  'settings', (
    select coalesce(
      json_agg(json_build_array(coalesce(r.rolname, ''), coalesce(d.datname, ''))), '[]'
    )
    from pg_db_role_setting s left join pg_roles r on r.oid = setrole
    left join pg_database d on d.oid = setdatabase, unnest(setconfig) one
    where one ~ '^default_transaction_read_only=(on|true|yes|1)$'
    and (d.datname is null or d.datname = current_database())
  ),
  'tables', (select coalesce(json_agg(name order by name), '[]') from own),
  'extensions', (select json_agg(extname order by extname) from pg_extension),
  'clients', (select coalesce(json_agg(json_build_array(address, role)), '[]') from client),
  'denied', (
    select coalesce(json_agg(json_build_array(role, name) order by name), '[]')
    from (select distinct role from client) one, own
    where not has_table_privilege(role, oid, 'INSERT') and name <> 'alembic_version'
  )
)
