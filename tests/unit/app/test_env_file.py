"""Variables in the file of a home are changed one by one, and nobody else can read them."""

from pathlib import Path

import pytest

from hedgerow.app.env_file import write_variables
from hedgerow.app.venues.environment import parse_variables
from hedgerow.domain.errors import ConfigError


@pytest.mark.parametrize("value", ["plain", "with blanks", 'a "quote"', "it's", "#no comment", "a=b", ""])
def test_what_is_written_is_read_back(tmp_path: Path, value: str) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nexport A = 'one' # why\nB=two\n")
    path.chmod(0o644)
    write_variables(path, {"A": value, "C": "three"})
    assert parse_variables(path.read_text(), "") == {"B": "two", "A": value, "C": "three"}
    assert path.read_text().startswith("# mine\nB=two\n")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["two\nlines", "\"both' kinds"])
def test_a_value_that_could_not_be_read_back_is_refused_without_being_named(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        write_variables(tmp_path / ".env", {"A": value})
    assert value not in str(refused.value)
    assert not (tmp_path / ".env").exists()


def test_a_file_that_is_no_list_of_variables_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("no assignment\n")
    with pytest.raises(ConfigError, match="line 1: allowed are NAME=value"):
        write_variables(path, {"A": "b"})
    assert path.read_text() == "no assignment\n"
