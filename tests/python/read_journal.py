"""Prints as JSON what Optuna reads in the journal of a study, and holds it to the study's table of trials.

    python3 tests/python/read_journal.py FOLDER

FOLDER has `optuna.jsonl` and `trials.csv`; needs `optuna`.
"""

import csv
import json
import math
import sys
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def read(trial):
    return {
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "distributions": {name: str(found) for name, found in trial.distributions.items()},
        "intermediate_values": {str(step): value for step, value in trial.intermediate_values.items()},
        "user_attrs": trial.user_attrs,
        "seconds": trial.duration.total_seconds(),
    }


def agrees(param, text):
    return param == text if isinstance(param, str) else float(text) == float(param)


def check(trials, rows, metric):
    """A trial of the journal for each row of the table, with the same values."""
    assert len(trials) == len(rows), (len(trials), len(rows))
    for trial, row in zip(trials, rows):
        assert trial["user_attrs"]["variant"] == row["variant"], row
        assert trial["user_attrs"]["seed"] == int(row["seed"]), row
        is_complete = row["ending"] == "complete"
        assert (trial["state"] == "COMPLETE") == is_complete, row
        if is_complete:
            assert trial["value"] == float(row[metric.replace(".", "_")]), row
            best = trial["intermediate_values"][row["best_epoch"]]
            assert math.isfinite(best), row
        for name, param in trial["params"].items():
            assert agrees(param, row[name]), (name, param, row[name])


def main():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = Path(sys.argv[1])
    storage = JournalStorage(JournalFileBackend(str(folder / "optuna.jsonl")))
    (study,) = storage.get_all_studies()
    loaded = optuna.load_study(study_name=study.study_name, storage=storage)
    trials = [read(trial) for trial in loaded.trials]
    with open(folder / "trials.csv", newline="") as file:
        check(trials, list(csv.DictReader(file)), loaded.user_attrs["metric"])
    found = {
        "optuna": optuna.__version__,
        "study_name": loaded.study_name,
        "direction": loaded.direction.name,
        "best": loaded.best_trial.number,
        "trials": trials,
    }
    json.dump(found, sys.stdout, allow_nan=False, indent=1, sort_keys=True)
    print()


main()
