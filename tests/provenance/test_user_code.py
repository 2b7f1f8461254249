"""Functions of users: which files are theirs, and what is said when they fail."""

import sys
import textwrap

import numpy as np
import pytest

from depthlens.depth import prediction_depth
from depthlens.errors import StudyError
from depthlens.provenance import user_code


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """A working directory of its own; modules that were imported from it are forgotten."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("mine"):
            del sys.modules[name]


def write(tmp_path, **modules: str) -> None:
    for name, text in modules.items():
        path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class TestFiles:
    """`source_files`."""

    def test_the_module_and_what_it_imports_from_beside_it_are_listed(self, tmp_path):
        write(
            tmp_path,
            mine="import numpy, json, depthlens.tables\nfrom mine_too import x\n",
            mine_too="def f():\n    import mine_deep\n",
            mine_deep="",
            mine_not="",
        )
        found = user_code.source_files("mine:f")
        assert list(found) == ["mine", "mine_deep", "mine_too"]
        assert found["mine"] == tmp_path / "mine.py"

    def test_a_package_is_read_with_its_parents_and_by_relative_names(self, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/__init__.py").write_text("from . import base\n")
        (tmp_path / "mine/base.py").write_text("")
        (tmp_path / "mine/sub").mkdir()
        (tmp_path / "mine/sub/__init__.py").write_text("")
        (tmp_path / "mine/sub/data.py").write_text("from ..other import x\nfrom .near import y\n")
        (tmp_path / "mine/sub/near.py").write_text("")
        (tmp_path / "mine/other.py").write_text("")
        assert list(user_code.source_files("mine.sub.data:f")) == [
            "mine", "mine.base", "mine.other", "mine.sub", "mine.sub.data", "mine.sub.near",
        ]  # fmt: skip

    def test_a_package_without_init_is_read_too(self, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/data.py").write_text("")
        assert list(user_code.source_files("mine.data:f")) == ["mine.data"]

    def test_a_copy_of_this_package_is_not_theirs(self, tmp_path):
        write(tmp_path, mine="from depthlens import tables\n", depthlens__tables="")
        (tmp_path / "depthlens/__init__.py").write_text("")
        assert list(user_code.source_files("mine:f")) == ["mine"]

    def test_nothing_is_run(self, tmp_path):
        write(tmp_path, mine="raise SystemExit\n")
        assert list(user_code.source_files("mine:f")) == ["mine"]

    def test_of_an_installed_package_its_own_files_are_listed(self):
        found = user_code.source_files("yaml.loader:Loader")
        assert "yaml.loader" in found
        assert all(name.split(".")[0] == "yaml" for name in found)

    @pytest.mark.parametrize("function", ["nowhere:f", "mine.nowhere:f", "sys:exit"])
    def test_what_has_no_source_has_no_files(self, tmp_path, function):
        write(tmp_path, mine="")
        assert user_code.source_files(function) == {}


class TestCall:
    """`call`."""

    def test_the_function_is_found_in_the_working_directory_and_called(self, tmp_path):
        write(tmp_path, mine="import mine_too\ndef f(a, *, b): return a + mine_too.c + b\n")
        write(tmp_path, mine_too="c = 10\n")
        before = list(sys.path)
        assert user_code.call("datasets", "mine:f", 1, b=100) == 111
        assert sys.path == before

    @pytest.mark.parametrize(
        ("function", "text", "said"),
        [
            ("mine_1:f", None, "no module 'mine_1', neither in"),
            ("mine_2.sub:f", "", "no module 'mine_2.sub', neither in"),
            ("mine_3:load", "def lod(split): pass\n", "no function 'load'; did you mean 'lod'?"),
            ("mine_4:f", "f = 3\n", "mine_4 has no function 'f'"),
            ("mine_5:f", "\n\nx = = 1\n", "importing mine_5 failed: SyntaxError"),
            ("mine_6:f", "import mine_none\n", "ModuleNotFoundError: No module named 'mine_none'"),
            ("mine_7:f", "def f(split):\n    return 1 / 0\n", "f('train') failed: ZeroDivision"),
            ("mine_8:f", "def f(split):\n    raise SystemExit(3)\n", "failed: SystemExit: 3"),
            ("mine_9:f", "def f(): pass\n", "failed: TypeError: f() takes 0"),
            ("mine_10:f", "def f(split):\n    raise ValueError('a\\nb')\n", "ValueError: a b"),
        ],
    )
    def test_a_failure_is_one_line(self, tmp_path, function, text, said):
        if text is not None:
            write(tmp_path, **{function.split(":")[0].split(".")[0]: text})
        with pytest.raises(StudyError) as caught:
            user_code.call("datasets", function, "train")
        assert said in str(caught.value)
        assert str(caught.value).startswith("datasets: ")
        assert len(str(caught.value).splitlines()) == 1

    def test_the_line_is_that_of_the_users_file(self, tmp_path):
        text = "import numpy as np\n\ndef f(split):\n    return np.ones(3) @ np.ones((4, 4))\n"
        write(tmp_path, mine_11=text)
        with pytest.raises(StudyError, match=r"mine_11\.py, line 4\)"):
            user_code.call("datasets", "mine_11:f", "train")
        write(tmp_path, mine_12="def f(split):\n    import json\n    return json.loads('{')\n")
        with pytest.raises(StudyError, match=r"mine_12\.py, line 3\)"):
            user_code.call("datasets", "mine_12:f", "train")
        write(tmp_path, mine_13="\n\nx = = 1\n")
        with pytest.raises(StudyError, match=r"mine_13\.py, line 3\)"):
            user_code.call("datasets", "mine_13:f", "train")

    def test_a_module_called_like_one_of_pythons_is_theirs(self, tmp_path):
        names = ("statistics", "time", "csv")  # time is built in
        for name in names:
            write(tmp_path, **{name: "import mine_14\ndef f(): return mine_14.words, __file__\n"})
        write(tmp_path, mine_14="from textwrap import words\n", textwrap="words = 'theirs'\n")
        before = {name: sys.modules.get(name) for name in (*names, "textwrap")}
        for name in names:
            assert set(user_code.source_files(f"{name}:f")) == {"mine_14", name, "textwrap"}
            found = user_code.call("models", f"{name}:f")
            assert found == ("theirs", str(tmp_path / f"{name}.py"))
        assert {name: sys.modules.get(name) for name in before} == before
        assert textwrap.dedent(" a") == "a"

    def test_a_module_is_theirs_whatever_was_loaded_under_its_name(self, tmp_path, monkeypatch):
        write(tmp_path, mine_15="def f(): return 1\n")
        assert user_code.call("models", "mine_15:f") == 1
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        write(tmp_path / "other", mine_15="def f(): return 2\n")
        assert user_code.call("models", "mine_15:f") == 2


def theirs(tmp_path, name: str, text: str):
    """A function `f` of a user's file."""
    write(tmp_path, **{name: text})
    scope: dict = {}
    exec(compile(text, str(tmp_path / f"{name}.py"), "exec"), scope)
    return scope["f"]


class TestGuarded:
    """`guarded` and `fault`."""

    def test_what_is_raised_by_them_is_a_line_with_their_place(self, tmp_path):
        function = theirs(tmp_path, "mine", "import json\n\ndef f(x): return json.loads(x)\n")
        with (
            pytest.raises(
                StudyError, match=r"^model: JSONDecodeError: .*mine\.py, line 3\); wait$"
            ),
            user_code.guarded("model", "; wait"),
        ):
            function("{")
        with (
            pytest.raises(StudyError, match=r"^model: TypeError: .* missing"),
            user_code.guarded("model"),
        ):
            function()

    def test_what_is_raised_by_us_is_left_as_it_is(self):
        with pytest.raises(ValueError, match="at least one probe"), user_code.guarded("model"):
            prediction_depth(np.zeros((2, 0), int), np.zeros(2, int))

    def test_a_fault_is_theirs_if_the_last_line_that_is_not_a_librarys_is(self, tmp_path):
        function = theirs(tmp_path, "mine", "import json\n\ndef f(x): return json.loads(x)\n")
        with pytest.raises(ValueError) as caught:
            function("{")
        assert f"{tmp_path / 'mine.py'}, line 3" in user_code.fault(caught.value)
        with pytest.raises(ValueError) as caught:
            prediction_depth(np.zeros((2, 0), int), np.zeros(2, int))
        assert user_code.fault(caught.value) is None
