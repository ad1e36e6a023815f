"""Settings: flags > environment > file > profile > defaults, and clear refusals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import img2poem
from img2poem.datadir import resolve_datadir
from img2poem.errors import UserError
from img2poem.models.endpoint import KEYS
from img2poem.settings import HELP, Settings, resolve


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_when_nothing_is_set() -> None:
    resolved = resolve(env={}, files=[])
    assert resolved.settings == Settings()
    assert set(resolved.origin.values()) == {"default"}


def test_each_source_outranks_the_next(tmp_path: Path) -> None:
    here = write(tmp_path / "here.toml", "k = 2\nembedder = 'hf:here'\ncorpus = 'c'")
    user = write(tmp_path / "user.toml", "k = 1\nembedder = 'hf:user'\ngenerator = 'openai:user'")
    resolved = resolve(
        {"k": 4}, env={"IMG2POEM_K": "3", "IMG2POEM_EMBEDDER": "hf:env"}, files=[here, user]
    )
    chosen = resolved.settings
    assert (chosen.k, chosen.embedder, chosen.corpus) == (4, "hf:env", ("c",))
    assert chosen.generator == "openai:user"
    assert resolved.origin["k"] == "flag"
    assert resolved.origin["embedder"] == "environment"
    assert resolved.origin["corpus"] == str(here)
    assert resolved.origin["generator"] == str(user)


def test_a_profile_fills_what_no_other_source_sets() -> None:
    resolved = resolve({"profile": "original", "reranker": "builtin"}, env={}, files=[])
    assert resolved.settings.captioner == "hf:Salesforce/blip-image-captioning-base"
    assert resolved.settings.reranker == "builtin"
    assert resolved.origin["captioner"] == "profile original"


def test_several_corpora_are_kept_in_order_without_repeats() -> None:
    assert resolve({"corpus": "select_c, ct,select_c"}, env={}, files=[]).settings.corpus == (
        "select_c",
        "ct",
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("corpus", "poems", "no corpus 'poems'"),
        ("k", "0", "1 or more"),
        ("k", "many", "k = 'many'"),
        ("min_score", "7", "between 0 and 1"),
        ("metadata", "perhaps", "true or false"),
        ("generate", "sometimes", "auto, always or never"),
        ("device", "tpu", "auto, cpu, cuda or mps"),
        ("profile", "fancy", "no profile 'fancy'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        resolve(env={f"IMG2POEM_{name.upper()}": value}, files=[])


def test_a_profile_outranks_what_lower_sources_set(tmp_path: Path) -> None:
    file = write(tmp_path / "s.toml", "embedder = 'hf:mine'\nreranker = 'hf:mine'")
    chosen = resolve({"profile": "builtin"}, env={"IMG2POEM_RERANKER": "hf:other"}, files=[file])
    assert (chosen.settings.embedder, chosen.settings.reranker) == ("builtin", "builtin")
    chosen = resolve(env={"IMG2POEM_PROFILE": "original"}, files=[file])
    assert chosen.settings.embedder == "hf:BAAI/bge-base-zh-v1.5"
    file.write_text("profile = 'original'\nembedder = 'hf:mine'")
    assert resolve(env={}, files=[file]).settings.embedder == "hf:mine"


def test_a_profile_that_is_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no profile"):
        resolve(env={}, files=[write(tmp_path / "s.toml", "profile = ['best']")])


def test_a_number_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "img2poem.toml").write_text("k = 3.7")
    with pytest.raises(UserError, match="whole number"):
        resolve(env={}, files=[tmp_path / "img2poem.toml"])


def test_a_settings_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    broken = write(tmp_path / "img2poem.toml", "k = = 3")
    with pytest.raises(UserError, match=r"img2poem\.toml is not TOML"):
        resolve(env={}, files=[broken])


def test_an_unknown_setting_in_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'colour', which is no setting"):
        resolve(env={}, files=[write(tmp_path / "s.toml", "colour = 'red'")])


def test_every_setting_says_what_it_is_for() -> None:
    assert set(HELP) == set(resolve(env={}, files=[]).origin)


def test_a_setting_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no setting 'copus'.*Nearest: corpus"):
        resolve({"copus": "c"}, env={}, files=[])


def test_an_unknown_corpus_gets_the_nearest_suggested() -> None:
    with pytest.raises(UserError, match="nearest: select_c") as caught:
        resolve({"corpus": "selectc"}, env={}, files=[])
    assert caught.value.exit_code == 2


def test_from_python_the_package_names_the_error_it_raises() -> None:
    with pytest.raises(img2poem.UserError) as caught:
        img2poem.load(embeder="builtin")
    assert (caught.value.problem, caught.value.hint) == (
        "There is no setting 'embeder'.",
        "Nearest: embedder.",
    )
    with pytest.raises(img2poem.UserError, match=r"no file gone\.jpg"):
        img2poem.load().query("gone.jpg")


def test_tests_see_nothing_of_the_users_own() -> None:
    assert set(resolve().origin.values()) == {"default"}
    assert "img2poem-tests-" in str(resolve_datadir().root)
    assert "img2poem-tests-" in os.environ["HF_HOME"]
    assert not any(name in os.environ for name in KEYS)
    assert not Path(__file__).is_relative_to(Path.cwd())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("k = true", "whole number"),
        ("k = 201", "200 or less"),
        ("k = [1]", "whole number"),
        ("min_score = true", "must be a number"),
        ("min_score = 'high'", "must be a number"),
        ("corpus = 5", "ct, c, select_c"),
        ("data = ['x']", "must be text"),
    ],
)
def test_a_value_of_another_type_is_refused_and_its_place_named(
    tmp_path: Path, line: str, said: str
) -> None:
    path = write(tmp_path / "img2poem.toml", line)
    with pytest.raises(UserError, match=said) as caught:
        resolve(env={}, files=[path])
    assert f"Change it in {path}" in caught.value.hint


def test_an_empty_variable_sets_nothing_but_what_may_be_empty() -> None:
    env = {"IMG2POEM_K": "", "IMG2POEM_PROFILE": "", "IMG2POEM_GENERATOR": ""}
    resolved = resolve(env=env, files=[])
    assert resolved.settings.k == 5 and resolved.origin["k"] == "default"
    assert resolved.origin["generator"] == "environment"
