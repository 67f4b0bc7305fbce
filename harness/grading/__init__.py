"""Grade: hand-ins go in, evaluators run, results come out, one by one."""
