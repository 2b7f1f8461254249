"""The hint that follows "unknown …"."""

from depthlens.errors import ArtifactError, ConfigError, StudyError, closest


def test_a_near_miss_names_what_was_meant():
    assert closest("resnet81", ["alexnet", "resnet18", "vgg11"]) == "; did you mean 'resnet18'?"


def test_nothing_near_lists_the_choices_in_order():
    assert closest("zzz", ["b", "a"]) == "; choose from: a, b"


def test_a_long_list_of_choices_is_cut():
    hint = closest("zzz", [f"name{i:03}" for i in range(100)])
    assert hint.endswith("name039, …")


def test_every_error_of_ours_is_one_that_the_command_line_prints():
    assert issubclass(ConfigError, StudyError)
    assert issubclass(ArtifactError, StudyError)
