"""What a frontend's build needs from outside of its folder."""

import json

import pytest

from scripts.app.reach import Reach, reach


@pytest.fixture
def repository(tmp_path):
    """A repository with these files.

    The app's folder in it is the second argument of what is returned.
    """

    def make(files):
        (tmp_path / ".git").mkdir()
        for name, text in {"phase3/web/package.json": "{}", **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


def test_a_frontend_by_itself(repository):
    root = repository({"phase3/web/src/app/page.tsx": "import x from '../lib/x'; // ../../shared"})
    assert reach(root / "phase3", "web") == Reach(root / "phase3/web")


def test_relative_imports_that_leave_the_folder(repository):
    root = repository(
        {
            "phase3/web/src/app/login/page.tsx": (
                "import { T } from '../../../../shared/types/todo';"
            ),
            "phase3/shared/types/todo.ts": "export type T = 1;",
        }
    )
    assert reach(root / "phase3", "web") == Reach(root / "phase3", "web", ("shared",), "web")


def test_paths_of_tsconfig_and_packages_of_the_repository(repository):
    root = repository(
        {
            "phase3/web/tsconfig.json": '{"extends": "../../tsconfig.base.json",'
            ' "compilerOptions": {"paths": {"@shared/*": ["../shared/*"]}}}',
            "phase3/web/package.json": json.dumps({"dependencies": {"ui": "file:../../ui"}}),
            "tsconfig.base.json": "{}",
            "phase3/shared/x.ts": "",
            "ui/package.json": "{}",
        }
    )
    found = reach(root / "phase3", "web")
    assert (found.root, found.folder) == (root, "phase3/web")
    assert found.others == ("phase3/shared", "tsconfig.base.json", "ui")


def test_a_member_of_a_workspace_is_installed_at_its_root(repository):
    root = repository(
        {
            "package.json": json.dumps({"workspaces": ["phase3/*", "packages/*"]}),
            "package-lock.json": "{}",
            "packages/ui/package.json": "{}",
            "packages/notes.txt": "",
        }
    )
    found = reach(root / "phase3", "web")
    assert (found.root, found.folder, found.workspace) == (root, "phase3/web", ".")
    assert found.others == ("package-lock.json", "package.json", "packages")


def test_a_workspace_of_pnpm(repository):
    root = repository(
        {"phase3/pnpm-workspace.yaml": "packages:\n  - web\n", "phase3/pnpm-lock.yaml": ""}
    )
    found = reach(root / "phase3", "web")
    assert (found.root, found.folder, found.workspace) == (root / "phase3", "web", ".")
    assert found.others == ("pnpm-lock.yaml", "pnpm-workspace.yaml")


def test_a_package_above_that_is_no_workspace_is_left_alone(repository):
    root = repository({"package.json": "{}", "phase3/package.json": '{"workspaces": ["api"]}'})
    assert reach(root / "phase3", "web") == Reach(root / "phase3/web")


def test_nothing_outside_of_the_repository_is_read(repository, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "secret.ts").write_text("export const key = 1;")
    root = repository(
        {
            "phase3/web/a.ts": f"import '../../../{outside.name}/secret';"
            " import '../../gone'; import '../../link/secret';",
        }
    )
    (root / "link").symlink_to(outside)
    assert reach(root / "phase3", "web") == Reach(root / "phase3/web")


def test_without_a_repository_the_apps_folder_is_the_bound(tmp_path):
    (tmp_path / "app/web").mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/x.ts").write_text("")
    (tmp_path / "app/web/a.ts").write_text("import '../../shared/x';")
    assert reach(tmp_path / "app", "web") == Reach(tmp_path / "app/web")
