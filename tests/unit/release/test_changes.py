from scripts.release.changes import between, drift, only_images


def _object(kind="Deployment", name="app", **spec):
    return {
        "kind": kind,
        "metadata": {"name": name, "labels": {"helm.sh/chart": "todo-1"}},
        "spec": spec,
    }


def test_nothing_changes():
    assert between([_object(replicas=1)], [_object(replicas=1)]) == []


def test_the_chart_version_is_no_change():
    other = _object()
    other["metadata"] = {"name": "app", "labels": {"helm.sh/chart": "todo-2"}}
    assert between([_object()], [other]) == []


def test_fields_objects_and_named_items():
    old = [
        _object(
            replicas=1, containers=[{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}]
        ),
        _object("Service", "gone"),
    ]
    new = [
        _object(
            replicas=2, containers=[{"name": "b", "image": "y:2"}, {"name": "a", "image": "x:1"}]
        ),
        _object("Service", "new"),
    ]
    assert between(old, new) == [
        "- service/gone",
        "~ deployment/app spec.replicas: 1 -> 2",
        "~ deployment/app spec.containers.b.image: y:1 -> y:2",
        "+ service/new",
    ]


def test_where_only_images_differ():
    def deployment(image, version="1", **more):
        return [
            _object(
                template={
                    "annotations": {"checksum/secret": version},
                    "containers": [{"name": "a", "image": image, **more}],
                }
            )
        ]

    assert only_images(deployment("x:1"), deployment("x:2", version="2"))
    assert not only_images(deployment("x:1"), deployment("x:2", args=["run"]))
    assert not only_images(deployment("x:1"), [*deployment("x:2"), _object("Service", "new")])
    assert not only_images([*deployment("x:1"), _object("Service", "old")], deployment("x:2"))


def test_what_comes_and_goes_within_an_object():
    assert between([_object(a=1)], [_object(b=2)]) == [
        "~ deployment/app spec.a: 1 -> nothing",
        "~ deployment/app spec.b: nothing -> 2",
    ]


def test_a_secrets_value_is_never_shown():
    lines = between(
        [_object("Secret", data={"key": "b2xk"})], [_object("Secret", data={"key": "bmV3"})]
    )
    assert lines == ["~ secret/app spec.data.key: ******** -> ********"]


def test_hooks_are_left_out():
    hook = {
        "kind": "Job",
        "metadata": {"name": "m", "annotations": {"helm.sh/hook": "post-install"}},
    }
    assert between([], [hook]) == []


def test_what_was_changed_on_the_cluster_is_found_and_what_the_cluster_adds_is_not():
    wanted = [
        _object("Service", "a", ports=[{"name": "http", "port": 80}], selector={"app": "a"}),
        _object("ConfigMap", "b", data={"LOG_LEVEL": "INFO", "EMPTY": ""}),
        _object(
            "Deployment",
            "c",
            resources={"limits": {"cpu": "0.5", "memory": "1024Mi"}},
            volumes=[{"name": "tmp", "emptyDir": {}}],
            rules=[{"host": "x"}],
        ),
        _object("Ingress", "gone"),
    ]
    live = [
        _object(
            "Service",
            "a",
            ports=[{"name": "http", "port": 80, "protocol": "TCP"}],
            selector={"app": "other"},
            clusterIP="10.0.0.1",
        ),
        _object("ConfigMap", "b", data={"LOG_LEVEL": "DEBUG"}),
        _object(
            "Deployment",
            "c",
            resources={"limits": {"cpu": "500m", "memory": "1Gi"}},
            volumes=[{"name": "tmp", "emptyDir": {}}],
            rules=[{"host": "x", "more": 1}],
        ),
    ]
    secret = {"kind": "Secret", "metadata": {"name": "s"}}
    assert (
        drift(
            [{**secret, "stringData": {"key": "value"}}], [{**secret, "data": {"key": "dmFsdWU="}}]
        )
        == []
    )
    assert drift(wanted, live) == [
        "service/a spec.selector.app is other, not a",
        "configmap/b spec.data.LOG_LEVEL is DEBUG, not INFO",
        "ingress/gone is gone",
    ]
