"""What of a file of weights fits a network is said completely, and in one sentence."""

from models.compatibility import compare


def test_all_of_it_fits() -> None:
    report = compare({"a.weight": [2, 3], "a.bias": [2]}, {"a.bias": (2,), "a.weight": (2, 3)})
    assert report.complete
    assert report.summary == "All 2 tensors fit."


def test_what_is_missing_unknown_or_of_another_shape_is_named() -> None:
    stored = {"a.weight": (2, 3), "b.weight": (4, 4), "old": (1,)}
    report = compare(stored, {"a.weight": (2, 3), "b.weight": (4, 5), "c.weight": (7,)})
    assert not report.fits
    assert report.fitted == ("a.weight",)
    assert report.missing == ("c.weight",)
    assert report.unexpected == ("old",)
    assert report.reshaped == (("b.weight", (4, 4), (4, 5)),)
    assert report.summary == (
        "1 of 3 tensors fit, 1 missing (c.weight), 1 of another shape (b.weight is [4, 4], not "
        "[4, 5]), 1 unknown (old)."
    )


def test_what_is_left_over_does_not_keep_it_from_fitting() -> None:
    report = compare({"a": (1,), "optimizer": (9,)}, {"a": (1,)})
    assert report.fits
    assert not report.complete


def test_a_long_list_is_cut_in_the_sentence_but_not_in_the_report() -> None:
    report = compare({}, {f"layer{number}": (1,) for number in range(9)})
    assert "layer2, ...)" in report.summary
    assert len(report.as_json()["missing"]) == 9
