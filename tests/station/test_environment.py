"""Hosted servers see what they need to run, and nothing that is ours."""

from interlock.station.environment import child_environment


def test_what_programs_need_is_inherited() -> None:
    needed = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "LC_ALL": "C",
        "https_proxy": "http://proxy",
        "NO_PROXY": "*",
        "UV_CACHE_DIR": "/cache",
        "NPM_CONFIG_REGISTRY": "http://npm",
        "npm_config_cache": "/npm",
        "PIP_INDEX_URL": "http://pip",
        "NODE_EXTRA_CA_CERTS": "/ca",
    }

    assert child_environment({}, needed) == needed


def test_our_own_secrets_are_not_inherited() -> None:
    ours = {"INTERLOCK_MASTER_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s", "PATH": "/bin"}

    assert child_environment({}, ours) == {"PATH": "/bin"}


def test_the_servers_own_values_win() -> None:
    assert child_environment({"PATH": "/mine", "KEY": "k"}, {"PATH": "/bin"}) == {
        "PATH": "/mine",
        "KEY": "k",
    }
