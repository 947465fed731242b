"""What a build sees, and the name that it gets."""

import os
from pathlib import Path

import pytest

from scripts.images import builds, plans, trials
from scripts.images.context import File, content_tag, context_files, stage
from scripts.machine.engine import Engine


@pytest.fixture
def dockerfile(tmp_path):
    path = tmp_path / "some.Dockerfile"
    path.write_text("FROM scratch\nCOPY . .\n")
    (tmp_path / "some.Dockerfile.dockerignore").write_text("node_modules\n**/*.log\n.env*\n")
    return path


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "app"
    for name, content in {
        "main.py": "print(1)\n",
        "lib/api.py": "x = 1\n",
        "node_modules/a/index.js": "1",
        "lib/a.log": "1",
        ".env.local": "SECRET=1",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def _tag(run, dockerfile, context, **arguments):
    return content_tag(run, None, dockerfile, context_files(dockerfile, context), arguments)


def test_a_build_sees_what_dockerignore_leaves(dockerfile, context):
    assert context_files(dockerfile, context) == (
        File("lib/api.py", False, b"x = 1\n"),
        File("main.py", False, b"print(1)\n"),
    )


def test_the_tag_follows_everything_that_goes_in_and_nothing_else(make_run, dockerfile, context):
    run = make_run()
    tags = [_tag(run, dockerfile, context)]
    before = os.stat(context / "main.py")
    (context / "main.py").write_text("print(2)\n")  # as long as before, and with the old date
    os.utime(context / "main.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    tags.append(_tag(run, dockerfile, context))
    (context / "main.py").chmod(0o755)
    tags.append(_tag(run, dockerfile, context))
    (context / "lib/api.py").rename(context / "lib/api2.py")
    tags.append(_tag(run, dockerfile, context))
    tags.append(_tag(run, dockerfile, context, APP_MODULE="other:app"))
    dockerfile.write_text(dockerfile.read_text() + "USER 1\n")
    tags.append(_tag(run, dockerfile, context))
    assert len(set(tags)) == len(tags)
    os.utime(context / "main.py")
    (context / "node_modules/a/index.js").write_text("2")
    assert _tag(run, dockerfile, context) == tags[-1]


def test_the_build_gets_those_bytes_with_new_dates_and_nothing_left_from_before(
    dockerfile, context, tmp_path
):
    old = 1_000_000_000
    os.utime(context / "main.py", (old, old))
    (tmp_path / "staged/leftover").mkdir(parents=True)
    staged = stage(context_files(dockerfile, context), tmp_path / "staged")
    assert sorted(
        path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()
    ) == ["lib/api.py", "main.py"]
    assert (staged / "main.py").read_text() == "print(1)\n"
    assert (staged / "main.py").stat().st_mtime > old


def test_an_image_is_tried_until_it_has_run_once(make_run, stub, monkeypatch, tmp_path):
    """The second name, -untried, outlives an interruption.

    So an image that was built and never ran is not taken for one that works.
    """
    (tmp_path / "names").mkdir()
    stub(
        "docker",
        f"""cd {tmp_path}/names
        case "$1 $2" in
            "image inspect") [ -f "$3" ] && echo '[{{"Id": "sha256:1"}}]' ;;
            rmi*) rm -f "$2" ;;
        esac""",
    )
    both = plans.Plans(
        *(
            plans.Plan(name, f"{name}:1", "sha256:1", Path(), Path(), (), {}, 80, "/")
            for name in ("front", "back")
        )
    )
    built = builds.Images({"front:1": "sha256:1", "back:1": "sha256:1"}, ())
    for name in ("front:1", "back:1", "back:1-untried"):
        (tmp_path / "names" / name).touch()
    tried = []

    def attempt(run, engine, reference, plan):
        tried.append(reference)
        if len(tried) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(trials, "try_alone", attempt)
    engine = Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34)
    with pytest.raises(KeyboardInterrupt):
        trials.try_images(make_run(), engine, both, built)
    assert trials.try_images(make_run(), engine, both, built) == ("back:1",)
    assert trials.try_images(make_run(), engine, both, built) == ()
    assert tried == ["back:1", "back:1"]
    assert sorted(path.name for path in (tmp_path / "names").iterdir()) == ["back:1", "front:1"]


def test_old_images_go_and_what_is_wanted_stays(make_run, stub, tmp_path, monkeypatch):
    stub("docker", f"echo $* >> {tmp_path}/asked")
    monkeypatch.setattr(builds, "KEPT", 3)
    mine = {
        f"{plans.BACKEND}:{tag}": "sha256:1"
        for tag in ("new", "latest", "b", "c", "d", "wanted", "e", "e-untried")
    }
    engine = Engine(
        "docker",
        "28.0",
        "/nowhere",
        "overlay2",
        2,
        1 << 34,
        {**mine, "postgres:16": "sha256:2", f"{plans.FRONTEND}:x": "sha256:3"},
    )
    run = make_run()
    run.shell.dry = True
    builds._forget_oldest(run, engine, [f"{plans.BACKEND}:wanted"])
    assert [line.split()[3:] for line in run.shell.planned] == [
        [f"{plans.BACKEND}:{tag}" for tag in ("c", "d", "e", "e-untried")]
    ]
    assert not (tmp_path / "asked").exists()
    run.shell.dry = False
    builds._forget_oldest(run, engine, [f"{plans.BACKEND}:wanted"])
    assert run.shell.until((tmp_path / "asked").exists, 5)
    assert (tmp_path / "asked").read_text().split() == [
        "rmi",
        *(f"{plans.BACKEND}:{tag}" for tag in ("c", "d", "e", "e-untried")),
    ]


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("Total reclaimed space: 2.5GB", ["15GB", "2.5GB"]),
        ("Total:  0B", []),
        ("Total: 31kB", ["31kB"]),
    ],
)
def test_the_build_cache_is_bounded_and_that_is_said(make_run, stub, said, told, wanted):
    stub("docker", f"echo '{told}'")
    builds._bound_cache(make_run(), Engine("docker", "28.0", "/nowhere", "overlay2", 2, 1 << 34))
    assert bool(said) == bool(wanted)
    assert all(one in said[-1] for one in wanted)
