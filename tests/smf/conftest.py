"""The scripts are run by their test, and are no modules."""

collect_ignore_glob = ["scripts/*"]
