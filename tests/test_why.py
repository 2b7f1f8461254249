"""The sentence about a change; tests/workflow asks for it in a real study."""

from depthlens import why

CFG, CODE = '{"source": "npz"}', "0123456789abcdef"


def sentences(before: list[str], now: list[str]) -> list[str]:
    return list(why._changed_params("import_images_mine", before, now, {}))


def test_other_files_of_a_source_are_told_from_another_config_and_code():
    old, new = f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"
    said = ["the files that rule import_images_mine reads from outside have changed"]
    assert sentences([old], [new]) == said
    assert sentences([CFG, old], ['{"source": "homework"}', new]) == [
        'source is "homework", was "npz"',
        *said,
    ]
    assert sentences([CODE], ["f" * 16]) == ["the code of rule import_images_mine has changed"]
