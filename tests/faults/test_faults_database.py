"""What can happen to a database that goes on answering; the first finding names it."""

import shlex
import subprocess
from contextlib import contextmanager

import pytest


@pytest.fixture
def name(run):
    return run.settings.release.name


@pytest.fixture
def sql(kube, name):
    """Run statements as the database's owner; they write even where that is switched off."""

    def sql(*statements):
        force = ("env", "PGOPTIONS=-c default_transaction_read_only=off")
        psql = ("psql", "-U", "todo", "-d", "todo", "-v", "ON_ERROR_STOP=1", "-q")
        commands = [part for one in statements for part in ("-c", one)]
        kube("exec", f"{name}-postgres-0", "--", *force, *psql, *commands)

    return sql


@pytest.fixture
def deploy():
    def deploy():
        command = ["invoke", "deploy", "--yes"]
        return subprocess.run(command, capture_output=True, text=True, timeout=400)

    return deploy


@pytest.mark.parametrize("whose", ["DATABASE", "ROLE"])
def test_a_database_that_takes_no_writes(sql, kube, diagnosed, diagnosed_now, deploy, whose):
    sql(f"ALTER {whose} todo SET default_transaction_read_only = on")
    try:
        first = diagnosed("DATABASE-READ-ONLY")[0]
        assert "read-only" in first.summary
        assert f"ALTER {whose} todo SET default_transaction_read_only = on" in first.evidence
        assert f"ALTER {whose} todo RESET default_transaction_read_only" in first.remedy
        # The remedy works as it stands.
        command = first.remedy.partition("backend: kubectl ")[2]
        kube(*shlex.split(command)[2:])
        assert not diagnosed_now()
        sql(f"ALTER {whose} todo SET default_transaction_read_only = on")
        result = deploy()
        assert result.returncode == 19, result.stdout + result.stderr
        assert "DATABASE-READ-ONLY" in result.stdout
    finally:
        sql(f"ALTER {whose} todo RESET default_transaction_read_only")


def test_a_table_that_is_gone_though_the_version_says_head(sql, diagnosed, deploy):
    assert deploy().returncode == 0  # it writes down what there is
    sql("ALTER TABLE todos RENAME TO hidden_todos")
    try:
        first = diagnosed("TABLE-MISSING")[0]
        assert "lacks the table todos" in first.summary
        assert "Alembic's version is still" in first.evidence
        assert "db-restore" in first.remedy
        result = deploy()
        assert result.returncode == 19, result.stdout + result.stderr
        assert "lacks the table todos" in result.stdout
    finally:
        sql("ALTER TABLE hidden_todos RENAME TO todos")


def test_an_extension_that_is_gone(sql, diagnosed, deploy):
    sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    assert deploy().returncode == 0
    sql("DROP EXTENSION pg_trgm")
    try:
        first = diagnosed("EXTENSION-MISSING")[0]
        assert "lacks the extension pg_trgm" in first.summary
        assert "CREATE EXTENSION pg_trgm" in first.remedy
    finally:
        sql("CREATE EXTENSION pg_trgm")


def test_a_role_that_may_not_write(sql, kube, name, diagnosed):
    """The app logs in as somebody who may read only."""
    sql("CREATE ROLE guest LOGIN PASSWORD 'guest'", "GRANT pg_read_all_data TO guest")
    workload = f"deployment/{name}-backend"
    address = f"DATABASE_URL=postgresql://guest:guest@{name}-postgres:5432/todo"
    kube("set", "env", workload, "-c", "backend", address)
    try:
        first = diagnosed("DATABASE-RIGHTS")[0]
        assert "as guest, which may not write to" in first.summary
        assert "todos" in first.evidence
    finally:
        kube("rollout", "undo", workload)
        kube("rollout", "status", workload, "--timeout=120s")
        sql("REVOKE pg_read_all_data FROM guest", "DROP ROLE guest")


@contextmanager
def _small_volume(run, docker, kube, name, place):
    """Put the database's files on a volume of 160 MiB for a while."""
    node, workload = run.settings.cluster.profile, f"statefulset/{name}-postgres"

    def on_node(script):
        run.shell.run(docker.client, "exec", node, "sh", "-ec", script)

    def scale(number):
        kube("scale", workload, f"--replicas={number}")
        if not number:
            kube("wait", "--for=delete", f"pod/{name}-postgres-0", "--timeout=90s")

    scale(0)
    on_node(
        f"mkdir -p /mnt/small && mount -t tmpfs -o size=160m small /mnt/small"
        f" && cp -a {place}/. /mnt/small/ && mount --bind /mnt/small {place}"
    )
    try:
        scale(1)
        kube("rollout", "status", workload, "--timeout=120s")
        yield
    finally:
        scale(0)
        on_node(f"umount {place} /mnt/small")
        scale(1)
        kube("rollout", "status", workload, "--timeout=120s")


def test_a_volume_that_is_full(run, docker, kube, as_json, name, diagnosed):
    claim = as_json("get", "pvc", f"data-{name}-postgres-0")
    volume = as_json("get", "pv", claim["spec"]["volumeName"])["spec"]
    place = (volume.get("hostPath") or volume.get("local"))["path"]
    fill = 'dd if=/dev/zero of="$PGDATA/filler" bs=1M; rm -f nothing'
    with _small_volume(run, docker, kube, name, place):
        kube("exec", f"{name}-postgres-0", "--", "sh", "-c", fill)
        first = diagnosed("VOLUME-FULL")[0]
        assert "the volume of the database is full" in first.summary


def test_a_key_that_somebody_emptied(kube, as_json, name, diagnosed, deploy):
    """A deploy takes an empty key for a missing one, makes it anew and says so."""
    secret = f"{name}-credentials"
    before = as_json("get", "secret", secret)["data"]["BETTER_AUTH_SECRET"]
    kube("patch", "secret", secret, "-p", '{"data": {"BETTER_AUTH_SECRET": ""}}')
    first = diagnosed("SECRET-EMPTY")[0]
    assert f"the key BETTER_AUTH_SECRET of the Secret {secret} is empty" in first.summary
    result = deploy()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "BETTER_AUTH_SECRET of the Secret" in result.stdout
    assert "was empty: a new value is made" in result.stdout
    assert as_json("get", "secret", secret)["data"]["BETTER_AUTH_SECRET"] not in ("", before)


def test_the_app_refuses_to_start_in_a_cluster_with_an_empty_key(kube, name, diagnosed):
    workload = f"deployment/{name}-backend"
    kube("set", "env", workload, "-c", "backend", "BETTER_AUTH_SECRET=")
    try:
        assert "BETTER_AUTH_SECRET is empty" in diagnosed("CRASH-LOOP")[0].summary
    finally:
        kube("rollout", "undo", workload)


def test_a_key_that_is_too_short(kube, name, diagnosed):
    workload = f"deployment/{name}-backend"
    kube("set", "env", workload, "-c", "backend", "BETTER_AUTH_SECRET=short")
    try:
        first = diagnosed("CRASH-LOOP")[0]
        assert "BETTER_AUTH_SECRET must be at least 32 bytes (256 bits) long" in first.summary
    finally:
        kube("rollout", "undo", workload)
