"""The names that users import: one that goes or comes is a decision, written down here and in the changelog."""

import importlib

import pytest

EXPORTS = {
    "hedgerow.aster": ["MAINNET", "TESTNET", "AsterClient", "AsterVenue", "Credentials", "Hosts", "KlineSeries"],
    "hedgerow.config": [
        "Database",
        "Home",
        "HomeMode",
        "SettingRow",
        "Settings",
        "config_table",
        "decode_config",
        "default_config_text",
        "in_words",
        "load_settings",
        "render_config",
        "settings_in_words",
        "with_overrides",
    ],
    "hedgerow.testing": ["AsterAccount", "Balances", "LocalAster", "SeenOrder", "SeenRequest", "local_aster"],
}


@pytest.mark.parametrize("package", sorted(EXPORTS))
def test_a_public_name_does_not_go_or_come_unnoticed(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__ == EXPORTS[package]
    assert all(hasattr(module, name) for name in module.__all__)
